#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "sallyport/auth/session/data.h"

namespace sallyport::auth::session {

/// PHP's `session.serialize_handler`; nothing in the data tells which it was.
enum class PhpSerializer : std::uint8_t { php, php_serialize, php_binary };

/// The id in the cookie PHPSESSID, which nothing signs: a look-up is its only proof.
/// Trust:  `cookie` is hostile.
/// Errors: `credential.invalid` for anything but 22 to 256 letters, digits, commas and dashes, so no path and no key of a store can
///         be spelled with it.
Result<std::string> parse_php_session_id(std::string_view cookie);

/// What serialize() and session_encode() wrote.
/// Objects (`O:`, `C:`, `E:`) and references (`R:`, `r:`) are stepped over and noted as unreadable; no class is looked for, nothing
/// is made of them. So are texts that are not UTF-8 and numbers that are not finite. An array whose keys are 0, 1, 2… in order
/// becomes a list.
/// Trust:  `stored` is hostile in form: users put what they like into a session's texts, and whoever can write where sessions lie
///         writes all of it.
/// Errors: `credential.invalid` for anything that PHP would not have written, for the same name twice, and beyond the bounds of
///         data.h.
Result<SessionData> parse_php_session(std::string_view stored, PhpSerializer serializer);

/// The text that serialize() wrote of one string: `s:5:"alice";` and nothing behind it.
/// Errors: `credential.invalid`.
Result<std::string> parse_php_string(std::string_view serialized);

}  // namespace sallyport::auth::session
