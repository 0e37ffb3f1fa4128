#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "sallyport/base/result.h"
#include "sallyport/http/headers.h"

namespace sallyport::http {

/// One pair of a Cookie line. One without `=` has an empty name (RFC 6265bis §5.7), so it can never be asked for.
struct Cookie {
  std::string_view name;
  std::string_view value;
  std::string_view text;
};

/// The cookies of a request, all Cookie lines read as one list.
/// Lifetime: views into the Headers it was made from.
/// Spec: RFC 6265 §5.4, the form user agents send. Pairs are cut at each semicolon, also inside quotes: the `$Version`
///       syntax of RFC 2965 is no syntax here, so a quote cannot hide a pair.
class Cookies {
 public:
  explicit Cookies(const Headers& headers);

  /// The value of the cookie of exactly this name, quotes included, or nothing when there is none.
  /// Errors: `credential.ambiguous` when there are two, even with equal values; `credential.invalid` when the value is
  ///         no `cookie-value` (RFC 6265 §4.1.1).
  Result<std::optional<std::string_view>> find(std::string_view name) const;

  /// The Cookie value that is left without the cookies called `names`; empty when none is left.
  std::string without_cookies(std::span<const std::string> names) const;

  const std::vector<Cookie>& all() const { return cookies_; }

 private:
  std::vector<Cookie> cookies_;
};

}  // namespace sallyport::http
