#pragma once

#include <memory>
#include <string>
#include <vector>

#include "sallyport/auth/identity.h"
#include "sallyport/gateway/settings.h"
#include "sallyport/jose/jwk.h"

namespace sallyport::gateway {

/// Signs, for backends that want proof, who a connection belongs to. The first key signs; the others are still published, so that
/// what they signed can be verified until it has expired.
/// Threads: any. Immutable.
class Assertion {
 public:
  /// `keys_text` is a set of private keys (`{"keys": [...]}`) as `sallyport keys new` writes it. Errors: `config.invalid`.
  static Result<std::shared_ptr<const Assertion>> make(const AssertionSettings& settings, std::string_view keys_text);
  /// With a key of its own that nobody else has and that is gone with the process.
  static std::shared_ptr<const Assertion> ephemeral(const AssertionSettings& settings);

  /// A JWT (`typ` sallyport-identity+jwt, `aud` the route) that names the identity and the connection; good for `lifetime`.
  std::string sign(const auth::Identity& identity, std::string_view connection, std::string_view route,
                   WallTime now) const;
  /// The public keys as a JWK set.
  const std::string& jwks() const { return jwks_; }

 private:
  Assertion(AssertionSettings settings, std::vector<jose::SigningKey> keys);
  AssertionSettings settings_;
  std::vector<jose::SigningKey> keys_;
  std::string jwks_;
};

}  // namespace sallyport::gateway
