#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "sallyport/auth/jwt/keys.h"
#include "sallyport/auth/jwt/verified_tokens.h"
#include "sallyport/config/environment.h"
#include "sallyport/config/schema.h"
#include "sallyport/crypto/algorithm.h"
#include "sallyport/jose/jwt.h"

namespace sallyport::crypto {

/// The algorithms' text form in the configuration.
std::vector<config::EnumName<Algorithm>> enum_names(Algorithm);

}  // namespace sallyport::crypto

namespace sallyport::auth {

/// Where an issuer's keys are to be had: exactly one of `jwks_file`, `jwks_url` and `secret`.
struct KeysConfig {
  config::FilePath jwks_file;
  std::string jwks_url;
  config::FilePath ca_file;
  std::chrono::seconds refresh{300};
  bool dangerous_plaintext_jwks = false;
  config::SecretSource secret;
};

/// Claims to read instead of the usual ones: a top-level name, or a JSON pointer (RFC 6901) when it starts with a slash. Empty: the
/// usual one.
struct ClaimNames {
  std::string subject;
  std::string tenant;
  std::string session_id;
  std::string scopes;
  std::string roles;
};

struct IssuerConfig {
  std::string name;
  std::string issuer;
  std::vector<std::string> audience;
  std::vector<crypto::Algorithm> algorithms;
  KeysConfig keys;
  std::chrono::seconds leeway{30};
  std::chrono::seconds max_lifetime{std::chrono::hours(24)};
  std::vector<std::string> types{"", "JWT", "at+jwt"};
  ClaimNames claims;
  std::uint32_t verified_tokens = 10'000;
};

config::Schema<ClaimNames> claim_names_schema();
config::Schema<IssuerConfig> issuer_schema();

/// An issuer whose tokens can be judged.
/// Threads: immutable and shared by all loops.
struct Issuer {
  std::string name;
  jose::JwtPolicy policy;
  ClaimNames claims;
  std::vector<std::string> kept_claims;      ///< top-level claims that an identity keeps as they came
  std::shared_ptr<KeySource> keys;           ///< never nullptr
  std::shared_ptr<VerifiedTokens> verified;  ///< by these keys, under this policy; never nullptr
};

/// Reads the key file or the secret, or prepares to fetch from the URL (see KeyUpkeep). `earlier`, when given, is this issuer as it
/// was configured before: the keys that it fetched from the same URL serve until the first fetch. `kept_claims` are those that somebody
/// will ask an identity for.
/// Errors: `config.invalid` when file or secret cannot be read, hold no usable key, or the secret is weak.
/// Lifetime: `control` outlives the issuer.
Result<std::shared_ptr<const Issuer>> make_issuer(const IssuerConfig& config, const config::Environment& environment,
                                                  net::Loop& control, const Issuer* earlier = nullptr,
                                                  std::vector<std::string> kept_claims = {});

}  // namespace sallyport::auth
