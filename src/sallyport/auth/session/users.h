#pragma once

#include <optional>
#include <span>
#include <string_view>

#include "sallyport/auth/session/config.h"
#include "sallyport/auth/session/data.h"
#include "sallyport/auth/session/source.h"
#include "sallyport/base/secret.h"

/// A framework that puts a mark of the user's password into each session compares it with the table of users on every request, so that
/// a changed password, or a user who was locked out, ends all sessions at once. Here the same is done for sockets.
namespace sallyport::auth::session {

/// Whether the framework has such a mark that is understood here: Django's `_auth_user_hash`, the salt that Devise keeps for Rails.
bool marks_password(Framework framework);

/// The mark in a session; empty: there is none. Where a framework's mark is not understood it serves to see that it changed.
Secret find_password_mark(Framework framework, const SessionData& data);

/// Judges the row of the user whose session has `mark`. `secrets` are the application's.
/// Errors: `credential.revoked` when there is no such user, the user is not active (Django), or the password is another one.
Result<void> check_user(Framework framework, const Secret& mark, const std::optional<StoredSession>& user,
                        std::span<const Secret> secrets);

/// How the framework lays its users out in a database.
SessionLayout users_layout(Framework framework);

}  // namespace sallyport::auth::session
