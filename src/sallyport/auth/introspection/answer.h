#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "sallyport/auth/identity.h"
#include "sallyport/auth/jwt/issuer.h"

namespace sallyport::auth {

/// What an answer must say for its token to count.
struct AnswerPolicy {
  std::string issuer;                 ///< empty: any
  std::vector<std::string> audience;  ///< empty: any
  std::vector<std::string> clients;   ///< empty: any
  std::vector<std::string> token_types;
  ClaimNames claims;
  std::string source;  ///< stands for the issuer of answers that name none
  std::chrono::seconds lifetime{900};
  std::chrono::seconds leeway{30};
};

/// What the answer of an introspection endpoint proves. Every member but `active` is among the claims; hash and grounds are the caller's
/// to add.
/// Trust:  `body` comes from the server that decides, over a connection that was verified; its form is not trusted.
/// Errors: `auth.unavailable` for what is no answer of RFC 7662 §2.2: no JSON object, `active` missing or no boolean, a known member of
///         the wrong type or with a control character in it. `credential.invalid` when the token is not active or not meant for us,
///         `credential.expired` when `exp` is past.
/// Spec:   RFC 7662 §2.2; stricter: without `sub` (or the claim that takes its place) a token proves nobody: a client's identifier is
///         never taken for a user's.
Result<Proven> read_answer(std::string_view body, const AnswerPolicy& policy, WallTime now);

}  // namespace sallyport::auth
