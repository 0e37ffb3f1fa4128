#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sallyport/base/clock.h"
#include "sallyport/base/json.h"
#include "sallyport/base/result.h"
#include "sallyport/jose/jws.h"

namespace sallyport::jose {

/// What an access token must be like. Each empty list allows nothing.
struct JwtPolicy {
  std::vector<std::string> issuers;    ///< `iss` values, compared byte for byte
  std::vector<std::string> audiences;  ///< `aud` must name at least one of them, byte for byte
  AlgorithmSet algorithms;
  /// `typ` values without "application/", compared ignoring case; an absent `typ` counts as "".
  std::vector<std::string> types{"", "JWT", "at+jwt"};
  /// Clock difference tolerated on `exp`, `nbf` and `iat`.
  std::chrono::seconds leeway{30};
  /// From `iat` to `exp`; where `iat` is absent, from now to `exp`.
  std::chrono::seconds max_lifetime{std::chrono::hours(24)};
  std::size_t max_token_bytes = 8192;
  /// Claims that must be there and not null. `iss`, `aud` and `exp` are needed whether listed or not.
  std::vector<std::string> required{"iss", "aud", "exp", "sub"};
};

/// When a token is good.
struct Validity {
  WallTime expires_at;                 ///< `exp`
  std::optional<WallTime> not_before;  ///< `nbf`
  std::optional<WallTime> issued_at;   ///< `iat`
};

/// What a proved token says. Every text here is free of control characters (C0, DEL, C1) and does not begin or end with a space,
/// so that it may stand in a header. Empty where the token is silent.
struct Claims : Validity {
  std::string issuer;                  ///< `iss`
  std::string subject;                 ///< `sub`
  std::vector<std::string> audiences;  ///< `aud`, all of it
  std::string token_id;                ///< `jti`
  std::string session_id;              ///< `sid`
  std::vector<std::string> scopes;     ///< `scope`, separated by spaces, or `scp`, the same or an array
  std::vector<std::string> roles;      ///< `roles`
  std::string tenant;                  ///< `tenant` or `tid`
  std::string acr;                     ///< `acr`
  std::vector<std::string> amr;        ///< `amr`
  std::optional<WallTime> auth_time;   ///< `auth_time`
  std::string client_id;               ///< `client_id`, or else `azp`
  json::Value payload;                 ///< all claims as they came (`cnf` among them); texts in here were not checked
};

struct JwtVerdict {
  Result<Claims> claims;
  KeyLookup lookup;          ///< whether newer keys might help
  const Jwk* key = nullptr;  ///< what signed it, of the set that was asked; nullptr when the signature is not proved
};

/// Proves an access token: signed by one of `keys`, by one of the issuers, for one of our audiences, valid at `now`.
/// A token of an unknown key costs about as much as a forged or an expired one (see verify_jws): claims are looked at last, and
/// time does not tell these apart.
/// Trust:  `token` is hostile; the rest is configuration. Claims are as trustworthy as the issuer.
/// Errors: `credential.expired` when nothing but the time speaks against a token whose signature is proved;
///         `credential.invalid` for everything else. The detail never holds the token.
/// Spec:   RFC 7519 §4.1, §7.2, RFC 8725, RFC 9068 §4; stricter: `exp`, `iss`, `aud` are required; times are numbers from 0 to the
///         year 9999; `iat` in the future is refused; a lifetime beyond the policy is refused; duplicate members are refused;
///         `scope` beside `scp`, or `tenant` beside a different `tid`, is refused as ambiguous. Encrypted tokens are refused.
/// Threads: any.
JwtVerdict verify_jwt(std::string_view token, const JwkSet& keys, const JwtPolicy& policy, WallTime now);

/// The part of verify_jwt()'s judgement that changes with time, for a token that it has proved.
/// Errors: `credential.expired`, `credential.invalid`; as verify_jwt().
Result<void> check_validity(const Validity& validity, const JwtPolicy& policy, WallTime now);

/// A token with these claims. `extra` header members follow `alg` and `kid`; give `typ` there.
std::string sign_jwt(const json::Object& extra, const json::Object& claims, const SigningKey& key);

}  // namespace sallyport::jose
