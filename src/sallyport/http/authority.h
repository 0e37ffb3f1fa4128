#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "sallyport/base/result.h"

namespace sallyport::http {

enum class Scheme : std::uint8_t { http, https };

/// 80 or 443.
constexpr std::uint16_t default_port(Scheme scheme) { return scheme == Scheme::http ? 80 : 443; }

enum class HostKind : std::uint8_t { name, ipv4, ipv6 };

/// A host and perhaps a port, in the one spelling it has here: names in lower case without a final dot, IPv6 compressed
/// as inet_ntop writes it and without brackets.
struct Authority {
  std::string host;
  HostKind kind = HostKind::name;
  std::optional<std::uint16_t> port;

  /// `host`, `host:port` or `[v6]:port`, as a Host line carries it.
  std::string text() const;
  bool operator==(const Authority&) const = default;
};

/// `authority` without the port that `scheme` implies anyway.
Authority without_default_port(Authority authority, Scheme scheme);

/// Reads `uri-host [ ":" port ]`.
/// Trust:  `text` is hostile.
/// Errors: `http.malformed`; nothing else.
/// Spec:   RFC 9110 §7.2, RFC 3986 §3.2.2. Stricter: no percent-encoding and no sub-delims in names (ASCII letters,
///         digits, hyphen, underscore; labels of 1 to 63, 253 in all; IDNA only as punycode), a name that ends in a
///         number must be a dotted quad, no IPv6 zone, no IPvFuture, ports 1 to 65535 without leading zeros, never an
///         empty port. Looser: one final dot is taken off, since `a.test.` and `a.test` are one host.
Result<Authority> parse_authority(std::string_view text);

}  // namespace sallyport::http
