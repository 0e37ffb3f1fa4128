#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sallyport/auth/session/data.h"

namespace sallyport::auth::session {

/// The id in the cookie SESSION, base64 of it; nothing signs it.
/// Trust:  `cookie` is hostile.
/// Errors: `credential.invalid` for anything but the base64 of 16 to 128 letters, digits and dashes.
Result<std::string> parse_spring_session_id(std::string_view cookie);

/// What Spring Session keeps as the fields of a Redis hash, or as columns and rows of attributes: `sessionAttr:NAME` becomes NAME; the
/// column PRINCIPAL_NAME becomes `principal_name`; the end follows from the last access and the longest inactivity.
/// An attribute is JSON, or of the JDK's serialization a text, an integer or a boolean, which have one spelling each. Any other
/// serialized Java object is noted as unreadable; no class is looked for.
/// Trust:  in form hostile, as every session.
/// Errors: `credential.invalid` when a field is there twice, when there is no sign of a Spring session, beyond the bounds of data.h.
Result<SessionData> parse_spring_session(const std::vector<std::pair<std::string, std::string>>& fields);

}  // namespace sallyport::auth::session
