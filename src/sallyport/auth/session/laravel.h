#pragma once

#include <span>
#include <string>
#include <string_view>

#include "sallyport/auth/session/data.h"
#include "sallyport/base/secret.h"

namespace sallyport::auth::session {

/// The key that an APP_KEY is: `base64:` and its base64, or the bytes themselves.
/// Errors: `config.invalid` unless it has 16 or 32 bytes.
Result<Secret> make_laravel_key(const Secret& app_key);

/// The session id in the encrypted cookie called `name`, opened with one of `keys`.
/// Trust:  `cookie` is hostile, its percent escapes still in place. A MAC or tag is verified before anything is decrypted.
/// Errors: `credential.invalid`, also for the cookie of another name and for anything but 40 letters and digits inside.
/// Spec:   Illuminate\Encryption\Encrypter with aes-128/256-cbc and aes-128/256-gcm, CookieValuePrefix.
Result<std::string> open_laravel_cookie(std::string_view cookie, std::string_view name, std::span<const Secret> keys);

/// What a driver of Laravel stored: a PHP-serialized array or JSON; in base64 (driver `database`); serialized once more as a text
/// (`redis`, `memcached`); encrypted with one of `keys` (`SESSION_ENCRYPT`). The forms cannot be mistaken for each other.
/// Errors: `credential.invalid`.
Result<SessionData> parse_laravel_session(std::string_view stored, std::span<const Secret> keys);

/// Where the guard `web` keeps the user's id: `login_web_` and the SHA-1 of the class name `Illuminate\Auth\SessionGuard`.
inline constexpr std::string_view laravel_web_login = "login_web_59ba36addc2b2f9401580f014c7f58ea4e30989d";

}  // namespace sallyport::auth::session
