#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "sallyport/auth/session/data.h"
#include "sallyport/base/secret.h"

namespace sallyport::auth::session {

/// The keys of encrypted cookies that a `secret_key_base` gives: derived with SHA-256 as the defaults of Rails 7 have it, and with SHA-1
/// as those before. Takes about a millisecond.
std::vector<Secret> make_rails_keys(const Secret& secret_key_base);

/// The session in the encrypted cookie called `name`, opened with one of `keys`.
/// Trust:  `cookie` is hostile, its percent escapes still in place; what is inside it was written by the application.
/// Errors: `credential.invalid`, also for the cookie of another name or a Marshal dump.
/// Spec:   ActiveSupport::MessageEncryptor with aes-256-gcm, ActiveSupport::Messages::Metadata. Where metadata is there, its purpose
///         must be this cookie's and its expiry is the session's. Without metadata, as `use_cookies_with_metadata` off writes it, any
///         cookie of the application that holds JSON passes for a session, as it does in Rails.
Result<SessionData> open_rails_cookie(std::string_view cookie, std::string_view name, std::span<const Secret> keys);

/// The key under which a store has the session that `cookie` names: `2::` and a hash of the public id.
/// Trust:  `cookie` is hostile.
/// Errors: `credential.invalid` for anything but 32 lower-case hexadecimal digits.
Result<std::string> parse_rails_session_id(std::string_view cookie);

/// What a store has of a Rails session, in JSON, perhaps in base64.
/// Errors: `credential.invalid`, also for a Marshal dump.
Result<SessionData> parse_rails_session(std::string_view stored);

}  // namespace sallyport::auth::session
