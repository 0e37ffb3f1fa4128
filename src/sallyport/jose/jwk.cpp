#include "sallyport/jose/jwk.h"

#include <algorithm>

#include "sallyport/base/encoding.h"
#include "sallyport/crypto/digest.h"
#include "sallyport/jose/weak_secret.h"

namespace sallyport::jose {
namespace {

using crypto::Curve;

constexpr std::size_t max_set_bytes = 1 << 20;
constexpr std::size_t max_set_keys = 256;
constexpr int max_set_depth = 8;

Error invalid(std::string detail) { return Error{Reason::config_invalid, "JWK: " + std::move(detail)}; }

// The bytes of a member that must be there.
Result<std::string> bytes_member(const json::Value& jwk, std::string_view name) {
  const std::string* text = jwk.find_string(name);
  if (!text) return invalid("member \"" + std::string(name) + "\" is missing or no string");
  auto bytes = base64url_decode(*text);
  if (!bytes.ok()) return invalid("member \"" + std::string(name) + "\" is no canonical base64url");
  return bytes;
}

// An optional text: nullopt when it is absent, an Error when it is something else than text.
Result<std::optional<std::string>> text_member(const json::Value& jwk, std::string_view name) {
  const json::Value* value = jwk.find(name);
  if (!value) return std::optional<std::string>();
  const std::string* text = value->string();
  if (!text) return invalid("member \"" + std::string(name) + "\" is no string");
  return std::optional<std::string>(*text);
}

Result<void> check_purpose(const json::Value& jwk, std::string_view operation) {
  TRY(const auto use, text_member(jwk, "use"));
  if (use && *use != "sig") return invalid("`use` is not \"sig\"");
  if (const json::Value* operations = jwk.find("key_ops")) {
    const json::Array* list = operations->array();
    if (!list) return invalid("`key_ops` is no array");
    const bool listed = std::any_of(list->begin(), list->end(), [&](const json::Value& item) {
      return item.string() && *item.string() == operation;
    });
    if (!listed) return invalid("`key_ops` lacks \"" + std::string(operation) + "\"");
  }
  return {};
}

Result<std::optional<Algorithm>> algorithm_member(const json::Value& jwk) {
  TRY(const auto text, text_member(jwk, "alg"));
  if (!text) return std::optional<Algorithm>();
  const auto algorithm = parse_algorithm(*text);
  if (!algorithm) return invalid("`alg` is no signature algorithm known here");
  return std::optional<Algorithm>(algorithm);
}

std::optional<Curve> parse_curve(std::string_view text) {
  for (const Curve curve : {Curve::p256, Curve::p384, Curve::p521}) {
    if (crypto::name(curve) == text) return curve;
  }
  return std::nullopt;
}

Result<crypto::PublicParts> parse_public_parts(const json::Value& jwk, std::string_view kty) {
  if (kty == "RSA") {
    TRY(std::string n, bytes_member(jwk, "n"));
    TRY(std::string e, bytes_member(jwk, "e"));
    return crypto::PublicParts(crypto::RsaPublic{std::move(n), std::move(e)});
  }
  const std::string* crv = jwk.find_string("crv");
  if (!crv) return invalid("`crv` is missing or no string");
  if (kty == "EC") {
    const auto curve = parse_curve(*crv);
    if (!curve) return invalid("`crv` is none of P-256, P-384, P-521");
    TRY(std::string x, bytes_member(jwk, "x"));
    TRY(std::string y, bytes_member(jwk, "y"));
    return crypto::PublicParts(crypto::EcPublic{*curve, std::move(x), std::move(y)});
  }
  if (*crv != "Ed25519") return invalid("`crv` is not Ed25519");
  TRY(std::string x, bytes_member(jwk, "x"));
  return crypto::PublicParts(crypto::Ed25519Public{std::move(x)});
}

bool is_key_pair(std::string_view kty) { return kty == "RSA" || kty == "EC" || kty == "OKP"; }

std::size_t hash_bytes(Algorithm symmetric) {
  return symmetric == Algorithm::HS256 ? 32 : symmetric == Algorithm::HS384 ? 48 : 64;
}

}  // namespace

Result<Jwk> Jwk::make(crypto::PublicKey key, std::optional<std::string> kid, std::optional<Algorithm> algorithm) {
  if (algorithm && !key.fits(*algorithm)) return invalid("`alg` does not fit the type of key");
  std::string identity = thumbprint(key);
  return Jwk(std::move(kid), algorithm, std::move(key), std::move(identity));
}

Result<Jwk> Jwk::make_symmetric(Bytes secret, std::optional<std::string> kid, std::optional<Algorithm> algorithm) {
  if (algorithm && !is_symmetric(*algorithm)) return invalid("`alg` does not fit a secret");
  if (secret.size() < hash_bytes(algorithm.value_or(Algorithm::HS256))) {
    return invalid("secret of " + std::to_string(secret.size()) + " bytes is shorter than the hash of its algorithm");
  }
  std::vector<crypto::HmacKey> keys;
  for (const Algorithm symmetric : {Algorithm::HS256, Algorithm::HS384, Algorithm::HS512}) {
    if (algorithm.value_or(symmetric) == symmetric && secret.size() >= hash_bytes(symmetric))
      keys.emplace_back(symmetric, secret);
  }
  const auto hash = crypto::sha256(secret);
  return Jwk(std::move(kid), algorithm, std::move(keys), "oct " + hex_encode(hash));
}

Result<Jwk> Jwk::make_secret(Bytes secret, std::optional<std::string> kid, Algorithm algorithm) {
  TRY_OK(check_secret(secret));
  return make_symmetric(secret, std::move(kid), algorithm);
}

Result<Jwk> Jwk::parse(const json::Value& jwk, JwkRules rules) {
  if (!jwk.object()) return invalid("no JSON object");
  const std::string* kty = jwk.find_string("kty");
  if (!kty) return invalid("`kty` is missing or no string");
  TRY(auto kid, text_member(jwk, "kid"));
  TRY_OK(check_purpose(jwk, "verify"));
  TRY(const auto algorithm, algorithm_member(jwk));

  if (*kty == "oct") {
    if (rules.kinds == KeyKinds::public_only) return invalid("a secret where only public keys belong");
    TRY(std::string decoded, bytes_member(jwk, "k"));
    const Secret secret(std::move(decoded));
    if (rules.weak_secrets == WeakSecrets::refused) TRY_OK(check_secret(secret.bytes()));
    return make_symmetric(secret.bytes(), std::move(kid), algorithm);
  }
  if (!is_key_pair(*kty)) return invalid("`kty` is none of RSA, EC, OKP, oct");
  if (rules.kinds == KeyKinds::symmetric_only) return invalid("a public key where only secrets belong");
  for (const std::string_view name : {"d", "p", "q", "dp", "dq", "qi", "oth", "k"}) {
    if (jwk.find(name))
      return invalid("holds the private member \"" + std::string(name) + "\": replace the key, it is known now");
  }
  TRY(auto parts, parse_public_parts(jwk, *kty));
  TRY(auto key, crypto::PublicKey::make(std::move(parts)));
  return make(std::move(key), std::move(kid), algorithm);
}

bool Jwk::fits(Algorithm algorithm) const {
  if (algorithm_ && *algorithm_ != algorithm) return false;
  if (const auto* key = public_key()) return key->fits(algorithm);
  const auto& secrets = std::get<std::vector<crypto::HmacKey>>(material_);
  return std::any_of(secrets.begin(), secrets.end(),
                     [&](const crypto::HmacKey& key) { return key.algorithm() == algorithm; });
}

bool Jwk::verify(Algorithm algorithm, Bytes data, Bytes signature) const {
  if (!fits(algorithm)) return false;
  if (const auto* key = public_key()) return key->verify(algorithm, data, signature);
  for (const crypto::HmacKey& key : std::get<std::vector<crypto::HmacKey>>(material_)) {
    if (key.algorithm() == algorithm) return key.verify(data, signature);
  }
  return false;
}

json::Object to_jwk(const crypto::PublicKey& key) {
  const auto encode = [](const std::string& bytes) { return json::Value(base64url_encode(bytes_of(bytes))); };
  if (const auto* rsa = std::get_if<crypto::RsaPublic>(&key.parts())) {
    return {{"e", encode(rsa->e)}, {"kty", "RSA"}, {"n", encode(rsa->n)}};
  }
  if (const auto* ec = std::get_if<crypto::EcPublic>(&key.parts())) {
    return {{"crv", crypto::name(ec->curve)}, {"kty", "EC"}, {"x", encode(ec->x)}, {"y", encode(ec->y)}};
  }
  return {{"crv", "Ed25519"}, {"kty", "OKP"}, {"x", encode(std::get<crypto::Ed25519Public>(key.parts()).x)}};
}

std::string thumbprint(const crypto::PublicKey& key) {
  return base64url_encode(crypto::sha256(bytes_of(json::dump(json::Value(to_jwk(key))))));
}

Result<JwkSet> JwkSet::parse(std::string_view text, JwkRules rules) {
  if (text.size() > max_set_bytes) return invalid("set beyond 1 MiB");
  auto parsed = json::parse(text, max_set_depth);
  if (!parsed.ok()) return invalid("set: " + parsed.error().detail);
  const json::Value* list = parsed->find("keys");
  const json::Array* members = list ? list->array() : nullptr;
  if (!members) return invalid("set without an array `keys`");
  if (members->size() > max_set_keys) return invalid("set of more than 256 keys");

  JwkSet set;
  const auto note = [&](std::size_t index, const std::optional<std::string>& kid, std::string_view why) {
    set.notes_.push_back("key " + std::to_string(index) + (kid ? " \"" + *kid + "\"" : "") +
                         " left out: " + std::string(why));
  };
  struct Candidate {
    std::size_t index;
    Jwk key;
  };
  // What a key that was left out would have been used for, had it been whole.
  struct Broken {
    std::string kid;
    std::optional<Algorithm> algorithm;
  };
  std::vector<Candidate> candidates;
  std::vector<Broken> broken;
  for (std::size_t i = 0; i < members->size(); ++i) {
    auto key = Jwk::parse((*members)[i], rules);
    if (key.ok()) {
      candidates.push_back({i, std::move(key).value()});
    } else {
      const std::string* kid = (*members)[i].find_string("kid");
      note(i, kid ? std::optional<std::string>(*kid) : std::nullopt, key.error().detail);
      const auto algorithm = algorithm_member((*members)[i]);
      if (kid && algorithm.ok() && check_purpose((*members)[i], "verify").ok()) broken.push_back({*kid, *algorithm});
    }
  }
  for (const Candidate& candidate : candidates) {
    const auto clashes = [&](const Candidate& other) {
      return &other != &candidate && other.key.kid() == candidate.key.kid() && candidate.key.kid().has_value() &&
             !other.key.same_key(candidate.key) &&
             std::any_of(
                 std::begin(crypto::all_algorithms), std::end(crypto::all_algorithms),
                 [&](Algorithm algorithm) { return other.key.fits(algorithm) && candidate.key.fits(algorithm); });
    };
    const auto clashes_with_broken = [&](const Broken& other) {
      return other.kid == candidate.key.kid() && (!other.algorithm || candidate.key.fits(*other.algorithm));
    };
    if (std::any_of(candidates.begin(), candidates.end(), clashes) ||
        std::any_of(broken.begin(), broken.end(), clashes_with_broken)) {
      note(candidate.index, candidate.key.kid(), "another key has the same `kid`");
      continue;
    }
    const bool repeated = std::any_of(set.keys_.begin(), set.keys_.end(), [&](const Jwk& kept) {
      return kept.kid() == candidate.key.kid() && kept.same_key(candidate.key);
    });
    if (!repeated) set.keys_.push_back(candidate.key);
  }
  if (set.keys_.empty()) {
    return invalid("no usable key in the set" + (set.notes_.empty() ? std::string() : "; " + set.notes_.front()));
  }
  return set;
}

JwkSet::Found JwkSet::find(const std::optional<std::string>& kid, Algorithm algorithm) const {
  const Jwk* only = nullptr;
  bool several = false;
  bool name_known = false;
  for (const Jwk& key : keys_) {
    if (kid && key.kid() == kid) {
      name_known = true;
      if (key.fits(algorithm)) return {&key, KeyLookup::found};
    }
    if ((kid && key.kid()) || !key.fits(algorithm)) continue;
    several = several || only;
    only = &key;
  }
  if (name_known) return {nullptr, KeyLookup::no_fitting_key};
  if (several) return {nullptr, KeyLookup::ambiguous};
  if (only) return {only, KeyLookup::found};
  return {nullptr, kid ? KeyLookup::unknown_kid : KeyLookup::no_fitting_key};
}

SigningKey SigningKey::generate(Algorithm algorithm) {
  auto key = crypto::PrivateKey::generate(algorithm);
  std::string kid = thumbprint(key.public_key());
  return SigningKey(std::move(kid), algorithm, std::move(key));
}

Result<SigningKey> SigningKey::make_secret(Bytes secret, std::string kid, Algorithm algorithm) {
  TRY_OK(Jwk::make_secret(secret, kid, algorithm));
  return SigningKey(std::move(kid), algorithm, crypto::HmacKey(algorithm, secret));
}

Result<SigningKey> SigningKey::parse(const json::Value& jwk, WeakSecrets weak_secrets) {
  if (!jwk.object()) return invalid("no JSON object");
  const std::string* kty = jwk.find_string("kty");
  if (!kty) return invalid("`kty` is missing or no string");
  TRY(auto kid, text_member(jwk, "kid"));
  TRY_OK(check_purpose(jwk, "sign"));
  TRY(auto algorithm, algorithm_member(jwk));
  const auto secret_member = [&](std::string_view name) -> Result<Secret> {
    TRY(std::string bytes, bytes_member(jwk, name));
    return Secret(std::move(bytes));
  };

  if (*kty == "oct") {
    if (!kid) return invalid("a secret without `kid`");
    if (!algorithm || !is_symmetric(*algorithm)) return invalid("a secret without a fitting `alg`");
    TRY(const Secret secret, secret_member("k"));
    if (weak_secrets == WeakSecrets::refused) TRY_OK(check_secret(secret.bytes()));
    if (secret.size() < hash_bytes(*algorithm)) return invalid("secret is shorter than the hash of its algorithm");
    return SigningKey(std::move(*kid), *algorithm, crypto::HmacKey(*algorithm, secret.bytes()));
  }
  if (!is_key_pair(*kty)) return invalid("`kty` is none of RSA, EC, OKP, oct");
  if (jwk.find("oth")) return invalid("multi-prime RSA");
  TRY(auto public_parts, parse_public_parts(jwk, *kty));
  TRY(Secret d, secret_member("d"));
  crypto::PrivateParts parts;
  if (auto* rsa = std::get_if<crypto::RsaPublic>(&public_parts)) {
    TRY(Secret p, secret_member("p"));
    TRY(Secret q, secret_member("q"));
    TRY(Secret dp, secret_member("dp"));
    TRY(Secret dq, secret_member("dq"));
    TRY(Secret qi, secret_member("qi"));
    parts = crypto::RsaPrivate{std::move(*rsa), std::move(d),  std::move(p), std::move(q),
                               std::move(dp),   std::move(dq), std::move(qi)};
  } else if (auto* ec = std::get_if<crypto::EcPublic>(&public_parts)) {
    parts = crypto::EcPrivate{std::move(*ec), std::move(d)};
  } else {
    parts = crypto::Ed25519Private{std::get<crypto::Ed25519Public>(public_parts), std::move(d)};
  }
  TRY(auto key, crypto::PrivateKey::make(std::move(parts)));
  for (const Algorithm candidate : {Algorithm::ES256, Algorithm::ES384, Algorithm::ES512, Algorithm::EdDSA}) {
    if (!algorithm && key.public_key().fits(candidate)) algorithm = candidate;
  }
  if (!algorithm) return invalid("an RSA key to sign with needs `alg`");
  if (!key.public_key().fits(*algorithm)) return invalid("`alg` does not fit the type of key");
  std::string name = kid ? std::move(*kid) : thumbprint(key.public_key());
  return SigningKey(std::move(name), *algorithm, std::move(key));
}

std::string SigningKey::sign(Bytes data) const {
  if (const auto* key = std::get_if<crypto::PrivateKey>(&material_)) return key->sign(algorithm_, data);
  return std::get<crypto::HmacKey>(material_).sign(data);
}

json::Object SigningKey::to_public_jwk() const {
  const auto* key = std::get_if<crypto::PrivateKey>(&material_);
  SALLYPORT_CHECK(key != nullptr);
  json::Object jwk = to_jwk(key->public_key());
  jwk.emplace_back("kid", kid_);
  jwk.emplace_back("alg", crypto::name(algorithm_));
  jwk.emplace_back("use", "sig");
  return jwk;
}

Secret SigningKey::to_private_jwk() const {
  json::Object jwk = to_public_jwk();
  const auto add = [&](const char* name, const Secret& secret) {
    jwk.emplace_back(name, base64url_encode(secret.bytes()));
  };
  const crypto::PrivateParts parts = std::get<crypto::PrivateKey>(material_).parts();
  std::visit([&](const auto& kind) { add("d", kind.d); }, parts);
  if (const auto* rsa = std::get_if<crypto::RsaPrivate>(&parts)) {
    add("p", rsa->p);
    add("q", rsa->q);
    add("dp", rsa->dp);
    add("dq", rsa->dq);
    add("qi", rsa->qi);
  }
  return Secret(json::dump(json::Value(std::move(jwk))));
}

Result<std::vector<SigningKey>> parse_signing_keys(std::string_view text) {
  const auto wrong = [](std::string detail) { return Error{Reason::config_invalid, std::move(detail)}; };
  const Result<json::Value> document = json::parse(text);
  const json::Value* list = document.ok() ? document->find("keys") : nullptr;
  if (!list || !list->array() || list->array()->empty()) return wrong("no key set; make one with `sallyport keys new`");
  std::vector<SigningKey> keys;
  for (const json::Value& jwk : *list->array()) {
    TRY(SigningKey key, SigningKey::parse(jwk));
    if (crypto::is_symmetric(key.algorithm()))
      return wrong("a shared secret cannot be published; use an EC or OKP key");
    keys.push_back(std::move(key));
  }
  return keys;
}

}  // namespace sallyport::jose
