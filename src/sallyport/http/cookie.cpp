#include "sallyport/http/cookie.h"

#include <algorithm>

#include "sallyport/http/grammar.h"

namespace sallyport::http {
namespace {

constexpr bool is_cookie_octet(char c) { return c > 0x20 && c < 0x7f && c != '"' && c != ',' && c != ';' && c != '\\'; }

bool is_cookie_value(std::string_view text) {
  if (text.size() >= 2 && text.front() == '"' && text.back() == '"') text = text.substr(1, text.size() - 2);
  return std::all_of(text.begin(), text.end(), is_cookie_octet);
}

}  // namespace

Cookies::Cookies(const Headers& headers) {
  for (std::string_view rest : headers.find_all("cookie")) {
    while (!rest.empty()) {
      const auto end = rest.find(';');
      const std::string_view text = trimmed(rest.substr(0, end));
      rest = end == std::string_view::npos ? std::string_view() : rest.substr(end + 1);
      if (text.empty()) continue;
      const auto equals = text.find('=');
      if (equals == std::string_view::npos) {
        cookies_.push_back({{}, text, text});
      } else {
        cookies_.push_back({trimmed(text.substr(0, equals)), trimmed(text.substr(equals + 1)), text});
      }
    }
  }
}

Result<std::optional<std::string_view>> Cookies::find(std::string_view name) const {
  std::optional<std::string_view> found;
  if (name.empty()) return found;
  for (const Cookie& cookie : cookies_) {
    if (cookie.name != name) continue;
    if (found) return Error{Reason::credential_ambiguous, "cookie " + std::string(name) + " is there twice"};
    found = cookie.value;
  }
  if (found && !is_cookie_value(*found)) {
    return Error{Reason::credential_invalid,
                 "cookie " + std::string(name) + " holds a byte that no cookie value holds"};
  }
  return found;
}

std::string Cookies::without_cookies(std::span<const std::string> names) const {
  std::string out;
  for (const Cookie& cookie : cookies_) {
    if (std::find(names.begin(), names.end(), cookie.name) != names.end()) continue;
    if (!out.empty()) out.append("; ");
    out.append(cookie.text);
  }
  return out;
}

}  // namespace sallyport::http
