#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sallyport/base/clock.h"
#include "sallyport/base/json.h"
#include "sallyport/base/result.h"

namespace sallyport::admin {

/// The members of a JSON body, read strictly. Texts are UTF-8 without control characters, so that they can go into headers and
/// logs as they are.
/// Trust:    the body is hostile.
/// Lifetime: a view into the body that it was made from.
class Members {
 public:
  /// Errors: `request.invalid` when `body` is no object, or has a member that `known` does not list, which is then named
  ///         beside the nearest known one.
  static Result<Members> make(const json::Value& body, const std::vector<std::string_view>& known);

  /// The member's text, or nothing when it is absent. Errors: `request.invalid` for anything but a clean, non-empty text.
  /// Units:  at most 512 bytes.
  Result<std::optional<std::string>> text(std::string_view name) const;
  /// Errors: also `request.invalid` when the member is absent.
  Result<std::string> required_text(std::string_view name) const;
  /// A list of texts without spaces in them; empty when it is absent. Units: at most 256.
  Result<std::vector<std::string>> words(std::string_view name) const;
  /// A text such as `1h`, or a number of seconds. Errors: `request.invalid` outside of 1 s to `longest`.
  Result<std::chrono::seconds> duration(std::string_view name, std::chrono::seconds otherwise,
                                        std::chrono::seconds longest) const;
  /// `"now"`, or seconds since 1970.
  Result<std::optional<WallTime>> time(std::string_view name, WallTime now) const;

 private:
  explicit Members(const json::Value& body) : body_(&body) {}
  const json::Value* body_;
};

}  // namespace sallyport::admin
