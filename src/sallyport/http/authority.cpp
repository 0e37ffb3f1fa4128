#include "sallyport/http/authority.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>

#include "sallyport/http/grammar.h"

namespace sallyport::http {
namespace {

Error malformed(std::string detail) { return {Reason::http_malformed, std::move(detail)}; }

// A resolver reads `1.2.3`, `0x7f.1` and the like as an address, so a name may not end in a number (as in the URL
// standard).
bool ends_in_number(std::string_view label) {
  if (std::all_of(label.begin(), label.end(), is_digit)) return true;
  return label.size() >= 2 && label[0] == '0' && to_lower(label[1]) == 'x' &&
         std::all_of(label.begin() + 2, label.end(), [](char c) { return hex_value(c) >= 0; });
}

Result<Authority> parse_name(std::string_view text) {
  if (text.size() > 1 && text.back() == '.') text.remove_suffix(1);
  if (text.empty()) return malformed("host is empty");
  if (text.size() > 253) return malformed("host is longer than 253 bytes");
  std::string_view rest = text;
  std::string_view label;
  while (true) {
    const auto dot = rest.find('.');
    label = rest.substr(0, dot);
    if (label.empty() || label.size() > 63) return malformed("host has a label that is empty or longer than 63 bytes");
    if (label.front() == '-' || label.back() == '-')
      return malformed("host has a label that starts or ends with a hyphen");
    for (const char c : label) {
      if (!is_alnum(c) && c != '-' && c != '_') return malformed("host has a byte that no host name holds");
    }
    if (dot == std::string_view::npos) break;
    rest.remove_prefix(dot + 1);
  }
  Authority out{lowered(text), HostKind::name, std::nullopt};
  if (ends_in_number(label)) {
    in_addr address{};
    if (inet_pton(AF_INET, out.host.c_str(), &address) != 1)
      return malformed("host ends in a number but is no IPv4 address");
    out.kind = HostKind::ipv4;
  }
  return out;
}

Result<Authority> parse_ipv6(std::string_view text) {
  in6_addr address{};
  const std::string copy(text);
  if (text.size() > INET6_ADDRSTRLEN || copy.find('\0') != std::string::npos ||
      inet_pton(AF_INET6, copy.c_str(), &address) != 1) {
    return malformed("host is no IPv6 address");
  }
  std::array<char, INET6_ADDRSTRLEN> out{};
  inet_ntop(AF_INET6, &address, out.data(), out.size());
  return Authority{out.data(), HostKind::ipv6, std::nullopt};
}

Result<std::uint16_t> parse_port(std::string_view text) {
  if (text.empty() || text.size() > 5 || text.front() == '0') return malformed("port is not a number from 1 to 65535");
  unsigned value = 0;
  for (const char c : text) {
    if (!is_digit(c)) return malformed("port is not a number from 1 to 65535");
    value = value * 10 + static_cast<unsigned>(c - '0');
  }
  if (value > 65535) return malformed("port is not a number from 1 to 65535");
  return static_cast<std::uint16_t>(value);
}

}  // namespace

std::string Authority::text() const {
  std::string out = kind == HostKind::ipv6 ? "[" + host + "]" : host;
  if (port) out.append(":").append(std::to_string(*port));
  return out;
}

Authority without_default_port(Authority authority, Scheme scheme) {
  if (authority.port == default_port(scheme)) authority.port.reset();
  return authority;
}

Result<Authority> parse_authority(std::string_view text) {
  std::string_view port;
  bool has_port = false;
  if (!text.empty() && text.front() == '[') {
    const auto close = text.find(']');
    if (close == std::string_view::npos) return malformed("host has no closing bracket");
    TRY(Authority out, parse_ipv6(text.substr(1, close - 1)));
    const std::string_view rest = text.substr(close + 1);
    if (!rest.empty()) {
      if (rest.front() != ':') return malformed("host is followed by something else than a port");
      TRY(out.port, parse_port(rest.substr(1)));
    }
    return out;
  }
  const auto colon = text.find(':');
  if (colon != std::string_view::npos) {
    has_port = true;
    port = text.substr(colon + 1);
    text = text.substr(0, colon);
  }
  TRY(Authority out, parse_name(text));
  if (has_port) {
    TRY(out.port, parse_port(port));
  }
  return out;
}

}  // namespace sallyport::http
