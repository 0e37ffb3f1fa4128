#pragma once

#include <string>
#include <string_view>

#include "sallyport/base/bytes.h"
#include "sallyport/base/result.h"

/// Binary as text. The decoders accept exactly what the encoders write, so a value has one spelling: no whitespace, no foreign
/// alphabet, no unused bits set in the last character.
namespace sallyport {

/// `data` in the URL-safe alphabet, without padding (RFC 4648 §5, as RFC 7515 §2 wants it).
std::string base64url_encode(Bytes data);
/// Trust:  `text` is hostile.
/// Errors: `request.invalid` for anything that base64url_encode would not have written, padding included.
/// Spec:   RFC 4648 §5; stricter: §3.5 canonical only.
Result<std::string> base64url_decode(std::string_view text);

/// `data` in the standard alphabet with padding (RFC 4648 §4).
std::string base64_encode(Bytes data);
/// Trust:  `text` is hostile.
/// Errors: `request.invalid` for anything that base64_encode would not have written, absent padding included.
/// Spec:   RFC 4648 §4; stricter: §3.5 canonical only.
Result<std::string> base64_decode(std::string_view text);

/// `data` as lower-case hexadecimal digits.
std::string hex_encode(Bytes data);
/// Trust:  `text` is hostile.
/// Errors: `request.invalid` for an odd length or anything but digits of one case, lower or upper.
Result<std::string> hex_decode(std::string_view text);

}  // namespace sallyport
