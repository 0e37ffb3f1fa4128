#include "sallyport/auth/mtls/names.h"

#include <algorithm>
#include <span>

#include "sallyport/base/encoding.h"

namespace sallyport::auth {
namespace {

constexpr std::pair<std::string_view, NameRule::Kind> kinds[] = {
    {"uri", NameRule::Kind::uri}, {"dns", NameRule::Kind::dns},        {"email", NameRule::Kind::email},
    {"ip", NameRule::Kind::ip},   {"cn", NameRule::Kind::common_name}, {"dn", NameRule::Kind::distinguished_name},
};
constexpr std::string_view pin_prefix = "sha256/";

bool fits(std::string_view name, std::string_view pattern) {
  if (pattern.empty()) return true;
  const auto star = pattern.find('*');
  if (star == std::string_view::npos) return name == pattern;
  const std::string_view before = pattern.substr(0, star);
  const std::string_view after = pattern.substr(star + 1);
  return name.size() > before.size() + after.size() && name.starts_with(before) && name.ends_with(after);
}

std::span<const std::string> names_of(const crypto::Certificate& certificate, NameRule::Kind kind) {
  switch (kind) {
    case NameRule::Kind::uri:
      return certificate.uris;
    case NameRule::Kind::dns:
      return certificate.dns_names;
    case NameRule::Kind::email:
      return certificate.emails;
    case NameRule::Kind::ip:
      return certificate.addresses;
    case NameRule::Kind::common_name:
      return certificate.common_names;
    case NameRule::Kind::distinguished_name:
      return {&certificate.subject, 1};
  }
  return {};
}

}  // namespace

Result<NameRule> parse_name_rule(std::string_view text) {
  const auto colon = text.find(':');
  const auto found =
      std::ranges::find(kinds, text.substr(0, colon), &std::pair<std::string_view, NameRule::Kind>::first);
  const std::string_view pattern = colon == std::string_view::npos ? std::string_view() : text.substr(colon + 1);
  const bool empty_pattern = colon != std::string_view::npos && pattern.empty();
  if (found == std::end(kinds) || empty_pattern || std::ranges::count(pattern, '*') > 1) {
    return Error{
        Reason::config_invalid,
        "uri, dns, email, ip, cn or dn, or one of them with a pattern such as uri:spiffe://example.com/*, expected, "
        "found \"" +
            std::string(text.substr(0, 80)) + '"'};
  }
  return NameRule{found->second, std::string(pattern)};
}

Result<std::optional<std::string>> find_name(const crypto::Certificate& certificate, const NameRule& rule) {
  std::optional<std::string> found;
  for (const std::string& name : names_of(certificate, rule.kind)) {
    if (name.empty() || !fits(name, rule.pattern) || found == name) continue;
    if (found) {
      return Error{Reason::credential_invalid, "certificate of " + certificate.subject + ": '" + *found + "' or '" +
                                                   name + "'? A pattern in `subject` says which"};
    }
    found = name;
  }
  return found;
}

Result<crypto::Sha256> parse_pin(std::string_view text) {
  const auto bytes = base64_decode(text.substr(std::min(pin_prefix.size(), text.size())));
  crypto::Sha256 pin{};
  if (!text.starts_with(pin_prefix) || !bytes.ok() || bytes->size() != pin.size()) {
    return Error{Reason::config_invalid,
                 "sha256/ and the base64 of 32 bytes expected, found \"" + std::string(text.substr(0, 80)) + '"'};
  }
  std::copy(bytes->begin(), bytes->end(), pin.begin());
  return pin;
}

}  // namespace sallyport::auth
