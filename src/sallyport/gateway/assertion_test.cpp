#include "sallyport/gateway/assertion.h"

#include <doctest/doctest.h>

#include "sallyport/gateway/testing.h"
#include "sallyport/jose/jwt.h"

namespace sallyport::gateway {
namespace {

using namespace std::chrono_literals;
using crypto::Algorithm;
using gateway::testing::identity;
using gateway::testing::proven;

const WallTime now = from_unix_seconds(1'800'000'000);

AssertionSettings settings() {
  AssertionSettings made;
  made.keys_file = {"keys.json"};
  return made;
}

std::string key_set(const std::vector<const jose::SigningKey*>& keys) {
  std::string text = "{\"keys\":[";
  for (const jose::SigningKey* key : keys) {
    if (text.back() != '[') text += ',';
    text += key->to_private_jwk().reveal();
  }
  return text + "]}";
}

jose::JwtPolicy policy(std::string audience = "chat") {
  jose::JwtPolicy made;
  made.issuers = {"sallyport"};
  made.audiences = {std::move(audience)};
  for (const Algorithm algorithm : {Algorithm::ES256, Algorithm::ES384, Algorithm::EdDSA})
    made.algorithms.add(algorithm);
  made.types = {"sallyport-identity+jwt"};
  return made;
}

auth::Identity alice() {
  auth::Proven all = proven("alice", now, 1h);
  all.tenant = "acme";
  all.session_id = "sid-1";
  all.scopes = {"chat.read", "chat.write"};
  all.roles = {"user"};
  all.amr = {"pwd", "otp"};
  all.acr = "2";
  return identity(all);
}

void check_refused(std::string_view keys, std::string_view why) {
  CAPTURE(keys);
  const auto made = Assertion::make(settings(), keys);
  REQUIRE(!made.ok());
  CHECK(made.error().reason == Reason::config_invalid);
  CHECK(made.error().detail.find("keys.json") == 0);
  CHECK(made.error().detail.find(why) != std::string::npos);
}

}  // namespace

TEST_SUITE("assertion") {
  TEST_CASE("a backend can verify it with the published keys alone") {
    const auto assertion = Assertion::ephemeral(settings());
    const std::string token = assertion->sign(alice(), "connection-1", "chat", now);
    const jose::JwkSet keys = jose::JwkSet::parse(assertion->jwks()).value();
    CHECK(keys.notes().empty());
    const jose::JwtVerdict verdict = jose::verify_jwt(token, keys, policy(), now);
    REQUIRE(verdict.claims.ok());
    const jose::Claims& claims = *verdict.claims;
    CHECK(claims.subject == "alice");
    CHECK(claims.issuer == "sallyport");
    CHECK(claims.audiences == std::vector<std::string>{"chat"});
    CHECK(claims.expires_at == now + 60s);
    CHECK(claims.issued_at == now);
    CHECK(claims.token_id == "connection-1");
    CHECK(claims.session_id == "sid-1");
    CHECK(claims.tenant == "acme");
    CHECK(claims.acr == "2");
    CHECK(claims.amr == std::vector<std::string>{"pwd", "otp"});
    CHECK(claims.roles == std::vector<std::string>{"user"});
    CHECK(*claims.payload.find_string("connection") == "connection-1");
    CHECK(*claims.payload.find_string("mechanism") == "scripted");
    CHECK(*claims.payload.find_string("origin_iss") == "https://id.example.com");
    const json::Value* scopes = claims.payload.find("scopes");
    REQUIRE(scopes != nullptr);
    CHECK(json::dump(*scopes) == R"(["chat.read","chat.write"])");
    const json::Value* ends = claims.payload.find("credential_expires_at");
    REQUIRE(ends != nullptr);
    CHECK(json::dump(*ends) == std::to_string(to_unix_seconds(now) + 3600));
  }

  TEST_CASE("it is good for this route and this minute only") {
    const auto assertion = Assertion::ephemeral(settings());
    const std::string token = assertion->sign(alice(), "connection-1", "chat", now);
    const jose::JwkSet keys = jose::JwkSet::parse(assertion->jwks()).value();
    CHECK(!jose::verify_jwt(token, keys, policy("admin"), now).claims.ok());
    CHECK(!jose::verify_jwt(token, keys, policy(), now + 2min).claims.ok());
    jose::JwtPolicy access = policy();
    access.types = {"", "JWT", "at+jwt"};  // whoever takes access tokens must not take it for one
    CHECK(!jose::verify_jwt(token, keys, access, now).claims.ok());
    const auto another = Assertion::ephemeral(settings());
    CHECK(!jose::verify_jwt(token, jose::JwkSet::parse(another->jwks()).value(), policy(), now).claims.ok());
  }

  TEST_CASE("what the credential did not say is left out") {
    const auto assertion = Assertion::ephemeral(settings());
    auth::Proven bare = proven("alice", now);
    bare.issuer = "";
    const std::string token = assertion->sign(identity(bare), "connection-1", "chat", now);
    const auto verdict = jose::verify_jwt(token, jose::JwkSet::parse(assertion->jwks()).value(), policy(), now);
    REQUIRE(verdict.claims.ok());
    for (const char* name : {"origin_iss", "sid", "tenant", "acr", "scopes", "roles", "amr"})
      CHECK(!verdict.claims->payload.find(name));
  }

  TEST_CASE("the first key signs, all are published, none in private") {
    const auto first = jose::SigningKey::generate(Algorithm::ES256);
    const auto second = jose::SigningKey::generate(Algorithm::EdDSA);
    const auto assertion = Assertion::make(settings(), key_set({&first, &second})).value();
    const jose::JwkSet keys = jose::JwkSet::parse(assertion->jwks()).value();
    REQUIRE(keys.keys().size() == 2);
    CHECK(keys.keys()[0].kid() == first.kid());
    CHECK(keys.keys()[1].kid() == second.kid());
    const json::Value published = json::parse(assertion->jwks()).value();
    for (const json::Value& key : *published.find("keys")->array()) {
      for (const char* secret : {"d", "p", "q", "dp", "dq", "qi", "k", "oth"}) CHECK(!key.find(secret));
    }
    // After a rotation what the old key signed is still good.
    const auto before = Assertion::make(settings(), key_set({&second})).value();
    CHECK(jose::verify_jwt(before->sign(alice(), "c", "chat", now), keys, policy(), now).claims.ok());
    CHECK(jose::verify_jwt(assertion->sign(alice(), "c", "chat", now), keys, policy(), now).claims.ok());
  }

  TEST_CASE("settings decide issuer and lifetime") {
    AssertionSettings own = settings();
    own.issuer = "https://gw.example.com";
    own.lifetime = 10s;
    const auto assertion = Assertion::ephemeral(own);
    jose::JwtPolicy expected = policy();
    expected.issuers = {own.issuer};
    const auto verdict = jose::verify_jwt(assertion->sign(alice(), "c", "chat", now),
                                          jose::JwkSet::parse(assertion->jwks()).value(), expected, now);
    REQUIRE(verdict.claims.ok());
    CHECK(verdict.claims->expires_at == now + 10s);
  }

  TEST_CASE("a key set that cannot serve is refused, and why") {
    check_refused("", "no key set");
    check_refused("nonsense", "no key set");
    check_refused("[]", "no key set");
    check_refused("{}", "no key set");
    check_refused(R"({"keys":[]})", "no key set");
    check_refused(R"({"keys":{}})", "no key set");
    check_refused(R"({"keys":[{}]})", "");
    const auto key = jose::SigningKey::generate(Algorithm::ES256);
    check_refused(json::dump(json::Object{{"keys", json::Array{key.to_public_jwk()}}}), "");
    check_refused(
        R"({"keys":[{"kty":"oct","kid":"1","alg":"HS256","k":"jqmaVfOqQ1o3JxOsAFYSBBJRZwBTlyEBVbZTl1b5N7s"}]})",
        "shared secret");
  }

  TEST_CASE("what is refused is told without the key") {
    const auto made = Assertion::make(
        settings(),
        R"({"keys":[{"kty":"EC","crv":"P-256","kid":"1","x":"AAAA","y":"AAAA","d":"c2VjcmV0LXNlY3JldC1zZWNyZXQ"}]})");
    REQUIRE(!made.ok());
    CHECK(made.error().detail.find("c2VjcmV0") == std::string::npos);
  }
}

}  // namespace sallyport::gateway
