#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "sallyport/base/result.h"
#include "sallyport/http/authority.h"
#include "sallyport/http/headers.h"

namespace sallyport::http {

/// A web origin: scheme, host and port, all in lower case and the port always known where the scheme has one.
/// Made only by parse_origin.
class Origin {
 public:
  const std::string& scheme() const { return scheme_; }
  const std::string& host() const { return authority_.host; }
  HostKind kind() const { return authority_.kind; }
  /// 0 when none was written and the scheme implies none.
  std::uint16_t port() const { return authority_.port.value_or(0); }
  /// True for the port that the scheme implies.
  bool has_default_port() const;
  bool operator==(const Origin&) const = default;

 private:
  friend Result<Origin> parse_origin(std::string_view text);
  std::string scheme_;
  Authority authority_;
};

/// Trust:  `text` is hostile.
/// Errors: `origin.not_allowed`; `null` among them.
/// Spec:   the ASCII serialization of RFC 6454 §6.2, one origin. Stricter: no final dot, no user info, path, query or
///         fragment, hosts as parse_authority takes them, so a name beyond ASCII only as punycode. Looser: upper case
///         and the default port written out are taken for what they mean.
Result<Origin> parse_origin(std::string_view text);

/// What a configured list allows: one origin, every host below a domain, or the literal `null`.
class OriginPattern {
 public:
  bool allows(const Origin& origin) const;
  bool is_null() const { return kind_ == Kind::null; }

 private:
  enum class Kind : std::uint8_t { exact, below, null };
  friend Result<OriginPattern> parse_origin_pattern(std::string_view text);
  Kind kind_ = Kind::null;
  std::optional<Origin> origin_;  // for `below`, its host is the domain
};

/// Reads `https://app.example.com`, `https://app.example.com:8443`, `https://*.example.com` or `null`. A wildcard
/// stands for one or more whole labels and only at the left of a domain of at least two; never for the domain itself.
/// Errors: `config.invalid`, its detail written for whoever wrote the configuration.
Result<OriginPattern> parse_origin_pattern(std::string_view text);

/// Who vouched for a handshake's origin.
enum class OriginProof : std::uint8_t {
  allowed,  ///< a browser named an origin on the list
  absent,   ///< no browser: no credential that a browser attaches by itself (a cookie) may count
};

/// The origins that a route takes. Empty: none.
class OriginPolicy {
 public:
  OriginPolicy() = default;
  explicit OriginPolicy(std::vector<OriginPattern> patterns) : patterns_(std::move(patterns)) {}

  /// Judges Origin, with Sec-Fetch-Site as second witness; `own` is the request's Host.
  /// Trust:  `headers` and `own` are hostile. A browser writes Origin and Sec-Fetch-* itself and no page can change
  ///         them; another client may write what it likes, which is why `absent` must not open the door to cookies.
  /// Errors: `origin.not_allowed` for one that is not listed, malformed, there twice, or contradicted by
  ///         Sec-Fetch-Site; `origin.missing` when only a browser can have sent the request (some Sec-Fetch-* field)
  ///         but no Origin is there.
  /// Spec:   RFC 6454 §7, Fetch Metadata Request Headers §2.
  Result<OriginProof> check(const Headers& headers, const Authority& own) const;

 private:
  std::vector<OriginPattern> patterns_;
};

/// Errors: `config.invalid`, naming the first pattern that is wrong.
Result<OriginPolicy> make_origin_policy(std::span<const std::string> patterns);

}  // namespace sallyport::http
