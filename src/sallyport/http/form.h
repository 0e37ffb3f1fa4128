#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sallyport/base/result.h"

namespace sallyport::http {

/// The parameters of a body in `application/x-www-form-urlencoded`; each name is there once. Made only by parse_form.
class Form {
 public:
  Form() = default;
  /// The decoded value, or nullptr when there is none: a parameter without a value counts as left out (RFC 6749 §3.2).
  const std::string* find(std::string_view name) const;
  std::size_t size() const { return parameters_.size(); }
  /// In their order.
  auto begin() const { return parameters_.begin(); }
  auto end() const { return parameters_.end(); }

 private:
  friend Result<Form> parse_form(std::string_view text);
  std::vector<std::pair<std::string, std::string>> parameters_;
};

/// Trust:  `text` is hostile.
/// Errors: `request.invalid` for a broken escape, a control byte other than tab and line ends or a byte beyond ASCII that is not escaped, what is
///         not UTF-8 when it is decoded, a name that is there twice, more than 64 parameters.
/// Spec:   WHATWG URL §5.1, RFC 6749 §3.2 and appendix B. Stricter: what a browser would not have written is refused instead of
///         being guessed at.
Result<Form> parse_form(std::string_view text);

/// `text` with `+` and escapes decoded, as parse_form() does with a name or a value.
/// Trust: `text` is hostile. Errors: as parse_form().
Result<std::string> decode_form_text(std::string_view text);

}  // namespace sallyport::http
