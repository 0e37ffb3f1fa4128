#include "sallyport/jose/jwk.h"

#include <doctest/doctest.h>

#include "sallyport/base/encoding.h"
#include "sallyport/crypto/random.h"

using namespace sallyport;
using namespace sallyport::jose;

namespace {

const SigningKey& rsa_key() {
  static const SigningKey key = SigningKey::generate(Algorithm::RS256);
  return key;
}
const SigningKey& ec_key() {
  static const SigningKey key = SigningKey::generate(Algorithm::ES256);
  return key;
}
const SigningKey& ed_key() {
  static const SigningKey key = SigningKey::generate(Algorithm::EdDSA);
  return key;
}

// `jwk` with a member replaced or added; a null value takes it away.
json::Object with(json::Object jwk, std::string_view name, json::Value value) {
  std::erase_if(jwk, [&](const auto& member) { return member.first == name; });
  if (!value.is_null()) jwk.emplace_back(std::string(name), std::move(value));
  return jwk;
}

json::Object secret_jwk(std::size_t size, std::string_view alg, std::string_view kid = "s") {
  crypto::FakeRandom random(size);
  return {{"kty", "oct"}, {"k", base64url_encode(bytes_of(random.bytes(size)))}, {"alg", alg}, {"kid", kid}};
}

std::string refusal(const json::Object& jwk, JwkRules rules = {}) {
  const auto key = Jwk::parse(json::Value(jwk), rules);
  REQUIRE_MESSAGE(!key.ok(), json::dump(json::Value(jwk)));
  CHECK(key.error().reason == Reason::config_invalid);
  return key.error().detail;
}

bool accepted(const json::Object& jwk, JwkRules rules = {}) { return Jwk::parse(json::Value(jwk), rules).ok(); }

std::string set_text(json::Array keys) { return json::dump(json::Value(json::Object{{"keys", std::move(keys)}})); }

bool mentions(const std::string& detail, std::string_view what) { return detail.find(what) != std::string::npos; }

constexpr JwkRules secrets{KeyKinds::symmetric_only};
constexpr JwkRules anything{KeyKinds::any};

}  // namespace

TEST_CASE("a public key serves its own algorithm, or all of its type") {
  const auto bound = Jwk::parse(json::Value(rsa_key().to_public_jwk()));
  REQUIRE(bound.ok());
  CHECK(bound->kid() == rsa_key().kid());
  CHECK(bound->fits(Algorithm::RS256));
  CHECK(!bound->fits(Algorithm::PS256));
  const auto open = Jwk::parse(json::Value(with(rsa_key().to_public_jwk(), "alg", nullptr)));
  REQUIRE(open.ok());
  CHECK(open->fits(Algorithm::RS512));
  CHECK(open->fits(Algorithm::PS256));
  CHECK(!open->fits(Algorithm::ES256));
  CHECK(!open->fits(Algorithm::HS256));
  const auto ec = Jwk::parse(json::Value(with(ec_key().to_public_jwk(), "alg", nullptr)));
  CHECK(ec->fits(Algorithm::ES256));
  CHECK(!ec->fits(Algorithm::ES384));
  const std::string signature = ec_key().sign(bytes_of("x"));
  CHECK(ec->verify(Algorithm::ES256, bytes_of("x"), bytes_of(signature)));
  CHECK(!ec->verify(Algorithm::ES384, bytes_of("x"), bytes_of(signature)));
  CHECK(accepted(with(ed_key().to_public_jwk(), "alg", "Ed25519")));
}

TEST_CASE("keys of another kind or purpose are refused") {
  const json::Object good = ec_key().to_public_jwk();
  CHECK(accepted(good));
  CHECK(mentions(refusal(with(good, "kty", nullptr)), "kty"));
  CHECK(mentions(refusal(with(good, "kty", "ec")), "kty"));
  CHECK(mentions(refusal(with(good, "kty", 1)), "kty"));
  CHECK(mentions(refusal(with(good, "use", "enc")), "use"));
  CHECK(mentions(refusal(with(good, "use", 1)), "use"));
  CHECK(accepted(with(good, "use", nullptr)));
  CHECK(accepted(with(good, "key_ops", json::Array{"verify"})));
  CHECK(accepted(with(good, "key_ops", json::Array{"sign", "verify"})));
  CHECK(mentions(refusal(with(good, "key_ops", json::Array{"sign"})), "key_ops"));
  CHECK(mentions(refusal(with(good, "key_ops", json::Array{})), "key_ops"));
  CHECK(mentions(refusal(with(good, "key_ops", "verify")), "key_ops"));
  for (const char* alg : {"ES384", "RS256", "HS256", "none", "es256", "ECDH-ES", ""})
    CHECK(mentions(refusal(with(good, "alg", alg)), "alg"));
  CHECK(mentions(refusal(with(good, "alg", 1)), "alg"));
  CHECK(mentions(refusal(with(good, "kid", 1)), "kid"));
  for (const char* crv : {"P-384", "secp256k1", "Ed25519", ""}) CHECK(!refusal(with(good, "crv", crv)).empty());
  CHECK(mentions(refusal(with(ed_key().to_public_jwk(), "crv", "Ed448")), "crv"));
  CHECK(!Jwk::parse(json::Value("text")).ok());
}

TEST_CASE("members must be there and canonical") {
  const json::Object good = ec_key().to_public_jwk();
  const std::string x = *json::Value(good).find_string("x");
  CHECK(mentions(refusal(with(good, "x", nullptr)), "\"x\""));
  CHECK(mentions(refusal(with(good, "x", 7)), "\"x\""));
  CHECK(mentions(refusal(with(good, "x", x + "=")), "base64url"));
  CHECK(mentions(refusal(with(good, "y", x)), "curve"));
  const json::Object rsa = rsa_key().to_public_jwk();
  CHECK(mentions(refusal(with(rsa, "n", nullptr)), "\"n\""));
  CHECK(mentions(refusal(with(rsa, "e", "AQ")), "exponent"));
  const std::string n = base64url_decode(*json::Value(rsa).find_string("n")).value();
  CHECK(mentions(refusal(with(rsa, "n", base64url_encode(bytes_of('\0' + n)))), "zero byte"));
}

TEST_CASE("a private member beside a public key is refused") {
  for (const SigningKey* key : {&rsa_key(), &ec_key(), &ed_key()}) {
    const auto jwk = json::parse(key->to_private_jwk().reveal());
    REQUIRE(jwk.ok());
    CHECK(mentions(refusal(*jwk->object(), anything), "private"));
    CHECK(accepted(key->to_public_jwk()));
  }
  CHECK(mentions(refusal(with(rsa_key().to_public_jwk(), "oth", json::Array{})), "private"));
}

TEST_CASE("secrets serve where they belong and are long enough") {
  CHECK(accepted(secret_jwk(32, "HS256"), secrets));
  CHECK(accepted(secret_jwk(32, "HS256"), anything));
  CHECK(mentions(refusal(secret_jwk(32, "HS256")), "public"));
  CHECK(mentions(refusal(ec_key().to_public_jwk(), secrets), "secrets"));
  CHECK(mentions(refusal(secret_jwk(31, "HS256"), secrets), "31 bytes"));
  CHECK(mentions(refusal(secret_jwk(47, "HS384"), secrets), "shorter"));
  CHECK(mentions(refusal(secret_jwk(63, "HS512"), secrets), "shorter"));
  CHECK(mentions(refusal(secret_jwk(64, "RS256"), secrets), "alg"));
  CHECK(mentions(refusal(secret_jwk(64, "A256GCM"), secrets), "alg"));
  const json::Object weak{{"kty", "oct"}, {"k", base64url_encode(bytes_of(std::string(32, 'a')))}, {"alg", "HS256"}};
  CHECK(!refusal(weak, secrets).empty());
  CHECK(accepted(weak, {KeyKinds::symmetric_only, WeakSecrets::dangerous_allowed}));
  const auto open = Jwk::parse(json::Value(with(secret_jwk(48, "HS256"), "alg", nullptr)), secrets);
  REQUIRE(open.ok());
  CHECK(open->fits(Algorithm::HS256));
  CHECK(open->fits(Algorithm::HS384));
  CHECK(!open->fits(Algorithm::HS512));
  CHECK(!open->fits(Algorithm::RS256));
  CHECK(open->public_key() == nullptr);
}

TEST_CASE("a set keeps what is usable and notes the rest") {
  const auto set =
      JwkSet::parse(set_text({rsa_key().to_public_jwk(), with(ec_key().to_public_jwk(), "use", "enc"),
                              json::Object{{"kty", "future"}, {"kid", "new"}}, "text", ed_key().to_public_jwk()}));
  REQUIRE(set.ok());
  CHECK(set->keys().size() == 2);
  REQUIRE(set->notes().size() == 3);
  CHECK(mentions(set->notes()[1], "\"new\""));
}

TEST_CASE("what is no key set is refused") {
  for (const std::string& text :
       {std::string("[]"), std::string("{}"), std::string("{\"keys\":{}}"), std::string("{\"keys\":[]}"),
        std::string("not json"), set_text({"text"}), std::string("{\"keys\":[],\"keys\":[]}"),
        set_text(json::Array(257, json::Value(ed_key().to_public_jwk()))), std::string((1 << 20) + 1, ' ')}) {
    const auto set = JwkSet::parse(text);
    REQUIRE(!set.ok());
    CHECK(set.error().reason == Reason::config_invalid);
  }
}

TEST_CASE("one kid, one key") {
  const json::Object first = with(ec_key().to_public_jwk(), "kid", "same");
  const json::Object second = with(SigningKey::generate(Algorithm::ES256).to_public_jwk(), "kid", "same");
  const json::Object other = with(rsa_key().to_public_jwk(), "kid", "same");
  const json::Object bystander = ed_key().to_public_jwk();
  SUBCASE("two keys for one algorithm are both left out") {
    const auto set = JwkSet::parse(set_text({first, second, bystander}));
    REQUIRE(set.ok());
    CHECK(set->keys().size() == 1);
    CHECK(set->notes().size() == 2);
  }
  SUBCASE("the same key twice is one") {
    const auto set = JwkSet::parse(set_text({first, first}));
    REQUIRE(set.ok());
    CHECK(set->keys().size() == 1);
  }
  SUBCASE("keys for different algorithms do not clash") {
    const auto set = JwkSet::parse(set_text({first, other}));
    REQUIRE(set.ok());
    CHECK(set->find("same", Algorithm::ES256).key == &set->keys()[0]);
    CHECK(set->find("same", Algorithm::RS256).key == &set->keys()[1]);
    CHECK(set->find("same", Algorithm::EdDSA).lookup == KeyLookup::no_fitting_key);
  }
  SUBCASE("a broken one clashes, one for encryption does not") {
    CHECK(JwkSet::parse(set_text({first, with(second, "x", "AA"), bystander}))->keys().size() == 1);
    CHECK(JwkSet::parse(set_text({first, with(second, "use", "enc"), bystander}))->keys().size() == 2);
  }
}

TEST_CASE("find names the one key that may decide") {
  const json::Object named = with(with(ec_key().to_public_jwk(), "kid", "a"), "alg", nullptr);
  const json::Object unnamed = with(SigningKey::generate(Algorithm::ES256).to_public_jwk(), "kid", nullptr);
  const auto both = JwkSet::parse(set_text({named, unnamed}));
  REQUIRE(both.ok());
  CHECK(both->find("a", Algorithm::ES256).key == &both->keys()[0]);
  CHECK(both->find("a", Algorithm::RS256).lookup == KeyLookup::no_fitting_key);
  CHECK(both->find("b", Algorithm::ES256).key == &both->keys()[1]);
  CHECK(both->find("b", Algorithm::RS256).lookup == KeyLookup::unknown_kid);
  CHECK(both->find(std::nullopt, Algorithm::ES256).lookup == KeyLookup::ambiguous);
  const auto one = JwkSet::parse(set_text({named, rsa_key().to_public_jwk()}));
  CHECK(one->find(std::nullopt, Algorithm::ES256).key == &one->keys()[0]);
  CHECK(one->find(std::nullopt, Algorithm::EdDSA).lookup == KeyLookup::no_fitting_key);
  CHECK(one->find("b", Algorithm::ES256).lookup == KeyLookup::unknown_kid);
  CHECK(one->find("", Algorithm::ES256).lookup == KeyLookup::unknown_kid);
  CHECK(JwkSet().find("a", Algorithm::ES256).lookup == KeyLookup::unknown_kid);
  CHECK(JwkSet().find(std::nullopt, Algorithm::ES256).lookup == KeyLookup::no_fitting_key);
}

TEST_CASE("signing keys survive storage") {
  for (const Algorithm algorithm :
       {Algorithm::ES256, Algorithm::ES384, Algorithm::ES512, Algorithm::EdDSA, Algorithm::PS512}) {
    CAPTURE(crypto::name(algorithm));
    const SigningKey key = SigningKey::generate(algorithm);
    const auto text = json::parse(key.to_private_jwk().reveal());
    REQUIRE(text.ok());
    const auto again = SigningKey::parse(*text);
    REQUIRE_MESSAGE(again.ok(), again.error().detail);
    CHECK(again->kid() == key.kid());
    CHECK(again->algorithm() == algorithm);
    const auto verifier = Jwk::parse(json::Value(key.to_public_jwk()));
    REQUIRE(verifier.ok());
    CHECK(verifier->verify(algorithm, bytes_of("x"), bytes_of(again->sign(bytes_of("x")))));
  }
}

TEST_CASE("what is no whole signing key is refused") {
  const auto parsed = json::parse(ec_key().to_private_jwk().reveal());
  const json::Object ec = *parsed->object();
  const auto refused = [](const json::Object& jwk) {
    const auto key = SigningKey::parse(json::Value(jwk));
    return !key.ok() && key.error().reason == Reason::config_invalid;
  };
  CHECK(!refused(ec));
  CHECK(!refused(with(with(ec, "alg", nullptr), "kid", nullptr)));
  CHECK(refused(ec_key().to_public_jwk()));
  CHECK(refused(with(ec, "alg", "ES384")));
  CHECK(refused(with(ec, "use", "enc")));
  CHECK(refused(with(ec, "key_ops", json::Array{"verify"})));
  const auto other = json::parse(SigningKey::generate(Algorithm::ES256).to_private_jwk().reveal());
  CHECK(refused(with(ec, "d", *other->find("d"))));
  const auto rsa_parsed = json::parse(rsa_key().to_private_jwk().reveal());
  const json::Object rsa = *rsa_parsed->object();
  CHECK(!refused(rsa));
  CHECK(!refused(with(rsa, "alg", "PS384")));
  CHECK(refused(with(rsa, "alg", nullptr)));
  CHECK(refused(with(rsa, "qi", nullptr)));
  CHECK(refused(with(rsa, "oth", json::Array{})));
  CHECK(refused(with(rsa, "p", *json::Value(rsa).find("q"))));
  CHECK(!refused(secret_jwk(32, "HS256")));
  CHECK(refused(secret_jwk(31, "HS256")));
  CHECK(refused(secret_jwk(32, "HS512")));
  CHECK(refused(with(secret_jwk(32, "HS256"), "kid", nullptr)));
  CHECK(refused(with(secret_jwk(32, "HS256"), "alg", nullptr)));
  CHECK(refused(json::Object{{"kty", "future"}}));
  CHECK(!SigningKey::make_secret(bytes_of(std::string(40, 'x')), "s", Algorithm::HS256).ok());
}
