#pragma once

#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sallyport/auth/session/data.h"
#include "sallyport/base/secret.h"

namespace sallyport::auth::session {

/// The keys that one AUTH_SECRET gives for one cookie.
struct AuthjsKeys {
  Secret authjs_cbc;    ///< Auth.js 5, A256CBC-HS512
  Secret authjs_gcm;    ///< its betas, A256GCM
  Secret nextauth_gcm;  ///< NextAuth.js 4, A256GCM; the same for all cookies
};
AuthjsKeys make_authjs_keys(const Secret& secret, std::string_view cookie_name);

/// The claims in the encrypted cookie of Auth.js 5 or NextAuth.js 4, opened with one of `keys`. `iat` or `nbf`, the later, is when it
/// was written, `exp` its end.
/// Trust:  `cookie` is hostile, its chunks put together.
/// Errors: `credential.invalid`.
/// Spec:   RFC 7516, RFC 7519; stricter: `dir` only, `exp` is required.
Result<SessionData> open_authjs_cookie(std::string_view cookie, std::span<const AuthjsKeys> keys);

/// The token of a session that lies in a database; nothing signs it.
/// Trust:  `cookie` is hostile.
/// Errors: `credential.invalid` for anything but 20 to 200 letters, digits, dashes and underscores.
Result<std::string> parse_authjs_session_token(std::string_view cookie);

/// A row of the table of sessions: each column a text.
/// Errors: `credential.invalid` when a column is there twice, is not UTF-8, or when there is none.
Result<SessionData> parse_authjs_session(const std::vector<std::pair<std::string, std::string>>& columns);

}  // namespace sallyport::auth::session
