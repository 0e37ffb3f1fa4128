#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "sallyport/base/json.h"
#include "sallyport/base/result.h"
#include "sallyport/base/secret.h"
#include "sallyport/crypto/hmac.h"
#include "sallyport/crypto/private_key.h"
#include "sallyport/crypto/public_key.h"
#include "sallyport/jose/algorithm.h"

namespace sallyport::jose {

/// Which keys a source may hold. A secret in a document that is published is no secret.
enum class KeyKinds : std::uint8_t { public_only, symmetric_only, any };
enum class WeakSecrets : std::uint8_t { refused, dangerous_allowed };

struct JwkRules {
  KeyKinds kinds = KeyKinds::public_only;
  WeakSecrets weak_secrets = WeakSecrets::refused;
};

/// A key that verifies (RFC 7517), bound to the algorithms that its type, its `alg`, and for a secret its length permit. A value;
/// copies share the key material.
/// Threads: any, at the same time.
class Jwk {
 public:
  /// Trust:  `jwk` is hostile.
  /// Errors: `config.invalid` when the key cannot verify signatures under `rules`: another `kty` or `crv`, `use` other than "sig",
  ///         `key_ops` without "verify", an unknown `alg` or one that does not fit, a missing or non-canonical member, a number
  ///         with leading zeros, what PublicKey::make or check_secret refuses, a secret shorter than the hash of its `alg`.
  /// Spec:   RFC 7517 §4, RFC 7518 §6, RFC 8037 §2; stricter: private members (`d`, `p`, ...) beside a public key are refused,
  ///         since whoever publishes one has lost the key. `x5u` is never followed, `x5c` never read.
  static Result<Jwk> parse(const json::Value& jwk, JwkRules rules = {});

  /// A key that came by another way than JSON. Without `algorithm` it serves all that its type fits.
  /// Errors: `config.invalid` when `algorithm` does not fit.
  static Result<Jwk> make(crypto::PublicKey key, std::optional<std::string> kid, std::optional<Algorithm> algorithm);
  /// Errors: `config.invalid` when `algorithm` is not symmetric, the secret is shorter than its hash, or check_secret refuses it.
  static Result<Jwk> make_secret(Bytes secret, std::optional<std::string> kid, Algorithm algorithm);

  const std::optional<std::string>& kid() const { return kid_; }
  /// Whether a signature under `algorithm` may be proved with this key.
  bool fits(Algorithm algorithm) const;
  /// False when `algorithm` does not fit.
  bool verify(Algorithm algorithm, Bytes data, Bytes signature) const;
  /// The key of a pair, nullptr for a secret.
  const crypto::PublicKey* public_key() const { return std::get_if<crypto::PublicKey>(&material_); }
  /// Whether both are the same key for the same algorithm, whatever they are called.
  bool same_key(const Jwk& other) const { return identity_ == other.identity_ && algorithm_ == other.algorithm_; }

 private:
  using Material = std::variant<crypto::PublicKey, std::vector<crypto::HmacKey>>;
  Jwk(std::optional<std::string> kid, std::optional<Algorithm> algorithm, Material material, std::string identity)
      : kid_(std::move(kid)), algorithm_(algorithm), material_(std::move(material)), identity_(std::move(identity)) {}
  static Result<Jwk> make_symmetric(Bytes secret, std::optional<std::string> kid, std::optional<Algorithm> algorithm);

  std::optional<std::string> kid_;
  std::optional<Algorithm> algorithm_;
  Material material_;
  std::string identity_;  // a hash of the key alone
};

/// `key` as the members of a public JWK: `kty` and the parts, in the order of RFC 7638.
json::Object to_jwk(const crypto::PublicKey& key);
/// The SHA-256 thumbprint of `key`, base64url: the name that only this key has (RFC 7638).
std::string thumbprint(const crypto::PublicKey& key);

/// How the search for a token's key ended.
enum class KeyLookup : std::uint8_t {
  not_tried,       ///< the token was refused before it came to that
  found,           ///< one key, whatever its verdict
  unknown_kid,     ///< no key of that name: the source may have a newer set
  no_fitting_key,  ///< none that may be used with the token's algorithm
  ambiguous,       ///< the token names no key and several could be meant
};

/// Keys to choose from. A value.
class JwkSet {
 public:
  JwkSet() = default;
  explicit JwkSet(std::vector<Jwk> keys) : keys_(std::move(keys)) {}

  /// Reads a key set. Keys that Jwk::parse refuses are left out with a note, so that one key of an unknown kind does not take the
  /// others with it.
  /// Trust:  `text` is hostile.
  /// Units:  at most 1 MiB and 256 keys.
  /// Errors: `config.invalid` when it is no JSON object with an array `keys`, is beyond those limits, or no key in it is usable.
  /// Spec:   RFC 7517 §5; stricter: different keys with the same `kid` that could serve the same algorithm are all left out
  ///         (one that is broken counts as well), because it would be chance which of them decides; the same key given twice is
  ///         kept once.
  static Result<JwkSet> parse(std::string_view text, JwkRules rules = {});

  const std::vector<Jwk>& keys() const { return keys_; }
  /// For operators: which keys were left out, and why.
  const std::vector<std::string>& notes() const { return notes_; }

  struct Found {
    const Jwk* key;  ///< nullptr unless lookup is found
    KeyLookup lookup;
  };
  /// The one key that may decide about a token. With a `kid`: the key of that name, or else the only fitting key that has no name.
  /// Without: the only fitting key. Never a guess among several.
  Found find(const std::optional<std::string>& kid, Algorithm algorithm) const;

 private:
  std::vector<Jwk> keys_;
  std::vector<std::string> notes_;
};

/// A key that signs, with the one algorithm it is used for. Moves, does not copy.
/// Threads: any, at the same time.
class SigningKey {
 public:
  /// A fresh key pair, named by its thumbprint. A symmetric algorithm is a bug.
  static SigningKey generate(Algorithm algorithm);
  /// Errors: `config.invalid` as for make_secret of Jwk.
  static Result<SigningKey> make_secret(Bytes secret, std::string kid, Algorithm algorithm);
  /// Reads a private JWK. Without `kid` it is named by its thumbprint; without `alg`, EC and OKP keys have only one.
  /// Errors: `config.invalid` when it is no private key, is incomplete or not whole, or lacks `alg` where there is a choice, or a
  ///         secret lacks `kid`.
  /// Spec:   RFC 7518 §6; stricter: RSA needs all of `d p q dp dq qi`; multi-prime keys (`oth`) are refused.
  static Result<SigningKey> parse(const json::Value& jwk, WeakSecrets weak_secrets = WeakSecrets::refused);

  Algorithm algorithm() const { return algorithm_; }
  const std::string& kid() const { return kid_; }
  std::string sign(Bytes data) const;

  /// The private JWK as JSON text, for storing; parse reads it. A symmetric key is a bug: it has another home.
  Secret to_private_jwk() const;
  /// The members of the public JWK, with `kid`, `alg` and `use`. A symmetric key is a bug.
  json::Object to_public_jwk() const;

 private:
  using Material = std::variant<crypto::PrivateKey, crypto::HmacKey>;
  SigningKey(std::string kid, Algorithm algorithm, Material material)
      : kid_(std::move(kid)), algorithm_(algorithm), material_(std::move(material)) {}
  std::string kid_;
  Algorithm algorithm_;
  Material material_;
};

/// Reads a set of private keys, `{"keys": [JWK, ...]}`, whose public halves may be published.
/// Errors: `config.invalid` when it is no such set, is empty, or holds a key that SigningKey::parse refuses or that is a shared secret.
Result<std::vector<SigningKey>> parse_signing_keys(std::string_view text);

}  // namespace sallyport::jose
