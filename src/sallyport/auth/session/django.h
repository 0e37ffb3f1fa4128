#pragma once

#include <span>
#include <string_view>

#include "sallyport/auth/session/data.h"
#include "sallyport/base/secret.h"
#include "sallyport/crypto/hmac.h"

namespace sallyport::auth::session {

/// Salts of django.core.signing for what sessions are kept in.
inline constexpr std::string_view django_stored_salt = "django.contrib.sessions.SessionStore";
inline constexpr std::string_view django_cookie_salt = "django.contrib.sessions.backends.signed_cookies";

/// The key that `secret`, a SECRET_KEY, gives for `salt`.
crypto::HmacKey make_django_key(const Secret& secret, std::string_view salt);

/// The session id in the cookie of a session that lies elsewhere; nothing signs it.
/// Trust: `cookie` is hostile. Errors: `credential.invalid` for anything but 32 lower-case letters and digits.
Result<std::string> parse_django_session_id(std::string_view cookie);

/// The session in `text`, `[.]<data>:<time>:<signature>`, signed with one of `keys`. It says when it was written.
/// Trust:  `text` is hostile until its signature is verified; only then is it decoded, and inflated within bounds.
/// Errors: `credential.invalid`, also for data of PickleSerializer.
/// Spec:   django.core.signing.loads; stricter: SHA-256 only, canonical base64url only. How old it may be is the caller's to judge.
Result<SessionData> verify_django_session(std::string_view text, std::span<const crypto::HmacKey> keys);

/// A session as a cache keeps it when its serializer is JSON.
/// Errors: `credential.invalid`, also for a pickle.
Result<SessionData> parse_django_cached_session(std::string_view stored);

}  // namespace sallyport::auth::session
