#pragma once

#include <memory>
#include <string>
#include <variant>

#include "sallyport/base/bytes.h"
#include "sallyport/base/result.h"
#include "sallyport/base/secret.h"
#include "sallyport/crypto/algorithm.h"
#include "sallyport/crypto/public_key.h"

namespace sallyport::crypto {

struct RsaPrivate {
  RsaPublic public_parts;
  Secret d, p, q, dp, dq, qi;
};
struct EcPrivate {
  EcPublic public_parts;
  Secret d;
};
struct Ed25519Private {
  Ed25519Public public_parts;
  Secret d;
};
using PrivateParts = std::variant<RsaPrivate, EcPrivate, Ed25519Private>;

/// A key pair that signs. Copies share it.
/// Threads: any, at the same time.
class PrivateKey {
 public:
  /// A fresh key that fits `algorithm`: RSA of 3072 bits for RS* and PS*. A symmetric algorithm is a bug.
  static PrivateKey generate(Algorithm algorithm);

  /// Errors: `config.invalid` when the public part is refused by PublicKey::make or the private part is not its own.
  static Result<PrivateKey> make(PrivateParts parts);

  /// The parts, for storing the key.
  PrivateParts parts() const;
  const PublicKey& public_key() const;

  /// The signature in the form that PublicKey::verify takes. An algorithm that does not fit the key is a bug.
  std::string sign(Algorithm algorithm, Bytes data) const;

 private:
  struct State;
  explicit PrivateKey(std::shared_ptr<const State> state) : state_(std::move(state)) {}
  std::shared_ptr<const State> state_;
};

}  // namespace sallyport::crypto
