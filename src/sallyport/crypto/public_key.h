#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <variant>

#include "sallyport/base/bytes.h"
#include "sallyport/base/result.h"
#include "sallyport/crypto/algorithm.h"

namespace sallyport::crypto {

enum class Curve : std::uint8_t { p256, p384, p521 };

/// As JOSE names it: "P-256", "P-384", "P-521".
std::string_view name(Curve curve);
/// Bytes of a coordinate: 32, 48, 66.
std::size_t coordinate_size(Curve curve);

/// Numbers are big-endian bytes.
struct RsaPublic {
  std::string n;
  std::string e;
  bool operator==(const RsaPublic&) const = default;
};
struct EcPublic {
  Curve curve;
  std::string x;
  std::string y;
  bool operator==(const EcPublic&) const = default;
};
struct Ed25519Public {
  std::string x;
  bool operator==(const Ed25519Public&) const = default;
};
using PublicParts = std::variant<RsaPublic, EcPublic, Ed25519Public>;

/// A public key whose parts were checked, ready to verify: everything that depends on the key alone is done once. Copies share it.
/// Threads: any, at the same time.
class PublicKey {
 public:
  /// Trust:  `parts` are hostile.
  /// Errors: `config.invalid` when they are no key worth trusting: RSA outside 2048 to 8192 bits, with leading zeros, an even
  ///         modulus, an exponent that is even, below 3 or beyond 32 bits, or the fingerprint of the ROCA generator
  ///         (CVE-2017-15361); an EC point of another length than its curve's or off the curve; an Ed25519 point of another
  ///         length or of small order, under which anybody can sign.
  static Result<PublicKey> make(PublicParts parts);

  /// The key of a PEM "PUBLIC KEY" block (SubjectPublicKeyInfo, RFC 5280 §4.1.2.7).
  /// Errors: `config.invalid` as for make, or when it is no such block.
  static Result<PublicKey> parse_pem(std::string_view pem);

  const PublicParts& parts() const;
  /// Whether this type of key can be used so: RSA for RS* and PS*, P-256 for ES256 only, and so on; never a symmetric one.
  bool fits(Algorithm algorithm) const;

  /// Whether `signature` proves `data` under `algorithm`. False, never an error, for an algorithm that does not fit.
  /// Trust: both are hostile.
  /// Spec:  ECDSA signatures are r || s at their full length (RFC 7518 §3.4), never DER; the salt of PS* is as long as the hash
  ///        (§3.5); RSA signatures are as long as the modulus.
  bool verify(Algorithm algorithm, Bytes data, Bytes signature) const;

 private:
  struct State;
  explicit PublicKey(std::shared_ptr<const State> state) : state_(std::move(state)) {}
  std::shared_ptr<const State> state_;
};

/// Takes about as long as a verification with a real key of the algorithm's type (RSA: 2048, 3072 or 4096 bits, as the length of
/// `signature` suggests), and proves nothing. For the moment when no key is known, so that its absence cannot be measured from
/// outside.
/// Threads: any.
void spend_verification(Algorithm algorithm, Bytes data, Bytes signature);

}  // namespace sallyport::crypto
