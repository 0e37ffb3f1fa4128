#include "sallyport/jose/dpop.h"

#include <doctest/doctest.h>

#include <fstream>
#include <iterator>

#include "sallyport/jose/jwk.h"
#include "sallyport/jose/jws.h"

namespace sallyport::jose {
namespace {

json::Value rfc9449() {
  std::ifstream file(SALLYPORT_SOURCE_DIR "/tests/vectors/httpsig/rfc9449-dpop.json");
  auto parsed = json::parse(std::string(std::istreambuf_iterator<char>(file), {}));
  REQUIRE(parsed.ok());
  return std::move(parsed).value();
}

// Without `kid`, which a proof has no use for: sign_jws() writes one, and nobody minds.
std::string proof_of(const SigningKey& key, json::Object claims, json::Object header) {
  return sign_jws(header, json::dump(claims), key);
}

struct Draft {
  json::Object header;
  json::Object claims{{"jti", "id-1"}, {"htm", "GET"}, {"htu", "https://chat.example.com/ws"}, {"iat", 1'800'000'000}};
};

void set(json::Object& object, const std::string& name, json::Value value) {
  std::erase_if(object, [&](const auto& member) { return member.first == name; });
  if (!value.is_null()) object.emplace_back(name, std::move(value));
}

json::Object public_part(const SigningKey& key) {
  json::Object jwk = key.to_public_jwk();
  std::erase_if(
      jwk, [](const auto& member) { return member.first == "kid" || member.first == "use" || member.first == "alg"; });
  return jwk;
}

Draft draft_for(const SigningKey& key) {
  Draft draft;
  draft.header = {{"typ", "dpop+jwt"}, {"jwk", public_part(key)}};
  return draft;
}

bool good(const SigningKey& key, const Draft& draft) {
  const auto proof = verify_dpop(proof_of(key, draft.claims, draft.header));
  if (!proof.ok()) CHECK(proof.error().reason == Reason::credential_invalid);
  return proof.ok();
}

TEST_CASE("DPoP: the proofs of RFC 9449") {
  const json::Value file = rfc9449();
  int proofs = 0;
  for (const json::Value& vector : *file.find("proofs")->array()) {
    const std::string& token = *vector.find_string("token");
    const auto proof = verify_dpop(token);
    REQUIRE(proof.ok());
    const json::Value& payload = *vector.find("payload");
    CHECK(proof->thumbprint == *vector.find_string("jkt"));
    CHECK(proof->id == *payload.find_string("jti"));
    CHECK(proof->method == *payload.find_string("htm"));
    CHECK(proof->url == *payload.find_string("htu"));
    CHECK(proof->issued_at == from_unix_seconds(*payload.find("iat")->integer()));
    CHECK(proof->token_hash == (payload.find_string("ath") ? *payload.find_string("ath") : ""));
    std::string changed = token;
    changed[changed.size() - 20] = changed[changed.size() - 20] == 'A' ? 'B' : 'A';
    CHECK(!verify_dpop(changed).ok());
    ++proofs;
  }
  CHECK(proofs == 3);
  // An access token is no proof.
  for (const json::Value& other : *file.find("other_tokens")->array())
    CHECK(!verify_dpop(*other.find_string("token")).ok());
}

TEST_CASE("DPoP: every algorithm with a key pair") {
  for (const auto algorithm : crypto::all_algorithms) {
    if (crypto::is_symmetric(algorithm)) continue;
    INFO(crypto::name(algorithm));
    const SigningKey key = SigningKey::generate(algorithm);
    const auto proof = verify_dpop(proof_of(key, draft_for(key).claims, draft_for(key).header));
    REQUIRE(proof.ok());
    CHECK(proof->thumbprint == key.kid());
  }
}

TEST_CASE("DPoP: what a proof must be like") {
  const SigningKey key = SigningKey::generate(Algorithm::ES256);
  Draft draft = draft_for(key);
  CHECK(good(key, draft));
  SUBCASE("another type") {
    for (const json::Value& type :
         {json::Value(), json::Value("JWT"), json::Value("DPoP+JWT"), json::Value("at+jwt")}) {
      set(draft.header, "typ", type);
      CHECK(!good(key, draft));
    }
  }
  SUBCASE("no key") {
    set(draft.header, "jwk", nullptr);
    CHECK(!good(key, draft));
  }
  SUBCASE("somebody else's key") {
    set(draft.header, "jwk", public_part(SigningKey::generate(Algorithm::ES256)));
    CHECK(!good(key, draft));
  }
  SUBCASE("a key of another algorithm") {
    set(draft.header, "jwk", public_part(SigningKey::generate(Algorithm::EdDSA)));
    CHECK(!good(key, draft));
  }
  SUBCASE("a private key") {
    set(draft.header, "jwk", json::parse(key.to_private_jwk().reveal()).value());
    CHECK(!good(key, draft));
  }
  SUBCASE("a secret") {
    const auto symmetric = SigningKey::make_secret(bytes_of("9Zk2Xv1q8Lw3Rt6Yb0Nc5Md7Hj4Gf1Ks"), "s", Algorithm::HS256);
    REQUIRE(symmetric.ok());
    set(draft.header, "jwk", json::Object{{"kty", "oct"}, {"k", "OVprMlh2MXE4THczUnQ2WWIwTmM1TWQ3SGo0R2YxS3M"}});
    CHECK(!good(*symmetric, draft));
  }
  SUBCASE("extensions") {
    set(draft.header, "crit", json::Array{"exp"});
    CHECK(!good(key, draft));
  }
  SUBCASE("a claim that is missing, or of another type") {
    for (const char* name : {"jti", "htm", "htu", "iat"}) {
      INFO(name);
      Draft without = draft;
      set(without.claims, name, nullptr);
      CHECK(!good(key, without));
      set(without.claims, name, json::Array{});
      CHECK(!good(key, without));
      set(without.claims, name, std::string());
      CHECK(!good(key, without));
    }
    set(draft.claims, "ath", 1);
    CHECK(!good(key, draft));
  }
  SUBCASE("times that are none") {
    for (const json::Value& time : {json::Value(-1), json::Value(1.5), json::Value(std::int64_t{253'402'300'800})}) {
      set(draft.claims, "iat", time);
      CHECK(!good(key, draft));
    }
  }
  SUBCASE("sizes") {
    set(draft.claims, "jti", std::string(256, 'j'));
    CHECK(good(key, draft));
    set(draft.claims, "jti", std::string(257, 'j'));
    CHECK(!good(key, draft));
    set(draft.claims, "jti", "j");
    set(draft.claims, "htu", "https://h/" + std::string(4000, 'p'));
    CHECK(!good(key, draft));
  }
}

}  // namespace
}  // namespace sallyport::jose
