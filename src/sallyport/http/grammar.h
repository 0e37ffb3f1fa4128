#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// Character classes and small productions of RFC 9110 and RFC 3986 that every parser here shares.
namespace sallyport::http {

constexpr bool is_alpha(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
constexpr bool is_digit(char c) { return c >= '0' && c <= '9'; }
constexpr bool is_alnum(char c) { return is_alpha(c) || is_digit(c); }
constexpr char to_lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c; }

/// Spec: `tchar`, RFC 9110 §5.6.2.
constexpr bool is_token_char(char c) {
  return is_alnum(c) || (c != '\0' && std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos);
}
/// Spec: a byte inside `field-value`, RFC 9110 §5.5: HTAB, SP, VCHAR, obs-text.
constexpr bool is_field_char(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte == '\t' || (byte >= 0x20 && byte != 0x7f);
}
/// The value of a hexadecimal digit, or -1.
constexpr int hex_value(char c) {
  if (is_digit(c)) return c - '0';
  const char lower = to_lower(c);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

bool is_token(std::string_view text);
/// True for what may stand after the colon of a field line we write: no control byte, no white space at either end.
bool is_field_value(std::string_view text);
bool equal_ignoring_case(std::string_view a, std::string_view b);
std::string lowered(std::string_view text);
/// `name` as a CGI-style backend reads it, where `X_Auth.User` and `x-auth-user` are one name: lower case, every byte
/// that is neither letter nor digit a hyphen. For comparing names that must not have a twin.
std::string folded_name(std::string_view name);
/// Well-formed UTF-8. Spec: Unicode 15 table 3-7.
bool is_utf8(std::string_view text);
/// Without spaces and tabs at either end.
std::string_view trimmed(std::string_view text);
/// The comma-separated elements of `value`, trimmed, empty ones included.
std::vector<std::string_view> split_list(std::string_view value);

}  // namespace sallyport::http
