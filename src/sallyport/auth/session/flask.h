#pragma once

#include <span>
#include <string>
#include <string_view>

#include "sallyport/auth/session/data.h"
#include "sallyport/base/secret.h"

namespace sallyport::auth::session {

/// What a SECRET_KEY gives for the cookies of Flask itself, and for the ids of Flask-Session that are signed.
Secret make_flask_key(const Secret& secret);
Secret make_flask_session_key(const Secret& secret);

/// The session in `cookie`, `[.]<payload>.<time>.<signature>` of itsdangerous, signed with one of `keys` (make_flask_key). It says
/// when it was written.
/// The tags of Flask's JSON are undone: a tuple becomes a list, markup, a UUID and a time the text of it; bytes are unreadable.
/// Trust:  `cookie` is hostile until its signature is verified; only then is it decoded, and inflated within bounds.
/// Errors: `credential.invalid`.
/// Spec:   flask.sessions.SecureCookieSessionInterface as it comes: HMAC-SHA1, key derivation `hmac`, salt `cookie-session`; stricter:
///         canonical base64url only. How old it may be is the caller's to judge.
Result<SessionData> verify_flask_cookie(std::string_view cookie, std::span<const Secret> keys);

/// The id of a session that Flask-Session keeps elsewhere. With `keys` (make_flask_session_key) it is `<id>.<signature>` and signed
/// with one of them; without any it is taken as it is.
/// Trust:  `cookie` is hostile.
/// Errors: `credential.invalid`, also for anything but 20 to 200 letters, digits, dashes and underscores.
Result<std::string> verify_flask_session_id(std::string_view cookie, std::span<const Secret> keys);

/// What Flask-Session stored: MessagePack or JSON, which their first byte tells apart.
/// Errors: `credential.invalid`, also for a pickle, which releases before 0.6 store.
Result<SessionData> parse_flask_session(std::string_view stored);

}  // namespace sallyport::auth::session
