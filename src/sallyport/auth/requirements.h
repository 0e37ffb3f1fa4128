#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "sallyport/auth/identity.h"
#include "sallyport/config/schema.h"

namespace sallyport::auth {

/// One claim and the values that will do.
struct RequiredClaim {
  std::string name;
  std::vector<std::string> any_of;
};

/// What an identity must be like, beyond being proved. Everything that is named must hold.
struct Requirements {
  std::vector<std::string> scopes;  ///< all of them
  std::vector<std::string> roles;   ///< at least one of them
  std::vector<RequiredClaim> claims;
  std::vector<std::string> acr;  ///< one of them
  std::vector<std::string> amr;  ///< all of them
  std::optional<std::chrono::seconds> max_age;
  bool same_subject = false;

  /// `identity`, if it is like that. Where `max_age` ends sooner than the credential, it ends then.
  /// Errors: `identity.not_allowed`; `identity.step_up` where a fresher or stronger authentication of the same person would do: acr, amr
  ///         and max_age, absent ones included.
  Result<Identity> check(Identity identity, WallTime now) const;
  /// The claims that check() looks at.
  std::vector<std::string> claim_names() const;
};

config::Schema<Requirements> requirements_schema();

}  // namespace sallyport::auth
