#pragma once

#include <optional>
#include <string>
#include <vector>

#include "sallyport/auth/identity.h"
#include "sallyport/auth/session/data.h"

namespace sallyport::auth::session {

/// Where in a session it stands who somebody is.
struct Mapping {
  std::vector<DataPath> subject;  ///< the first that leads to something decides; at least one
  std::optional<DataPath> tenant;
  std::optional<DataPath> scopes;
  std::optional<DataPath> roles;
  std::optional<DataPath> amr;
  std::optional<DataPath> acr;
  std::optional<DataPath> authenticated_at;
  std::vector<std::string> claims;  ///< top-level names that the identity keeps as they are
};

/// Who `data` names, with all that the mapping finds; times, hashes and the mechanism's name are the caller's to add.
/// A subject is a text or an integer; a list is one of texts, for scopes also a text with spaces between, for roles and methods also
/// a single text; the time of authentication is seconds or milliseconds since 1970 or a text such as `2026-01-31T12:00:00Z`.
/// Trust:  what users wrote into their session may stand anywhere but at these paths.
/// Errors: `credential.invalid` when nobody is named (nothing, null, an empty text, false, 0), so nobody is logged in; when what is at
///         a path is of another kind, unreadable, or holds what is_clean() refuses.
Result<Proven> read_identity(const SessionData& data, const Mapping& mapping);

}  // namespace sallyport::auth::session
