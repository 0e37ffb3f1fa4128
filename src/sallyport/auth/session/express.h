#pragma once

#include <span>
#include <string>
#include <string_view>

#include "sallyport/auth/session/data.h"
#include "sallyport/crypto/hmac.h"

namespace sallyport::auth::session {

/// The session id in a cookie of express-session, `s:<id>.<signature>`, signed with one of `keys`.
/// Trust:  `cookie` is hostile, its percent escapes still in place.
/// Errors: `credential.invalid` when it is not signed, or by none of `keys`; when the id is no name that a store's key can safely
///         be made of: 1 to 200 letters, digits and `-_.,:~@+=`, not beginning with a dot.
Result<std::string> verify_express_cookie(std::string_view cookie, std::span<const crypto::HmacKey> keys);

/// What express-session stored: JSON, whose `cookie.expires` is its end. A `cookie` that cannot be read so is no session.
/// Errors: `credential.invalid`.
Result<SessionData> parse_express_session(std::string_view stored);

}  // namespace sallyport::auth::session
