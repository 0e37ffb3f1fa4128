#include "sallyport/auth/sender_constraint.h"

#include <fstream>
#include <iterator>

#include "sallyport/auth/authenticator_contract.h"
#include "sallyport/auth/jwt/jwt.h"
#include "sallyport/auth/jwt/testing.h"
#include "sallyport/auth/opaque/opaque.h"
#include "sallyport/base/encoding.h"
#include "sallyport/crypto/digest.h"
#include "sallyport/crypto/test_authority.h"

namespace sallyport::auth {
namespace {

using namespace std::chrono_literals;
using testing::AuthenticatorContract;
using testing::Handshake;
using testing::name_of;
using testing::Scene;
using testing::TemporaryFile;
using testing::TokenMaker;

const std::vector<TokenSource> everywhere = {
    {TokenPlace::header, {}}, {TokenPlace::subprotocol, {}}, {TokenPlace::cookie, "at"}, {TokenPlace::query, "token"}};

// An owner of bound tokens, and what a proof of theirs says; each test changes something of it.
struct Owner {
  jose::SigningKey key = jose::SigningKey::generate(jose::Algorithm::ES256);

  json::Object binding() const { return {{"cnf", json::Object{{"jkt", key.kid()}}}}; }

  std::string proof(const std::string& token, json::Object more = {}) const {
    json::Object jwk = key.to_public_jwk();
    std::erase_if(jwk, [](const auto& member) { return member.first == "use" || member.first == "alg"; });
    json::Object claims{{"jti", "id-1"},
                        {"htm", "GET"},
                        {"htu", "https://gw.example.test/ws"},
                        {"iat", 1'800'000'000},
                        {"ath", base64url_encode(crypto::sha256(bytes_of(token)))}};
    for (auto& [name, value] : more) {
      std::erase_if(claims, [&](const auto& member) { return member.first == name; });
      if (!value.is_null()) claims.emplace_back(name, value);
    }
    return jose::sign_jws({{"typ", "dpop+jwt"}, {"jwk", std::move(jwk)}}, json::dump(claims), key);
  }
};

Handshake with_proof(const std::string& token, const std::string& proof, const char* scheme = "DPoP") {
  Handshake handshake;
  handshake.fields = "Authorization: " + std::string(scheme) + " " + token + "\r\nDPoP: " + proof + "\r\n";
  return handshake;
}

struct Stage {
  FakeClock clock;
  Scene scene{clock};
  TokenMaker maker;
  Owner owner;
  std::shared_ptr<const Issuer> issuer = testing::make_issuer(maker, scene.loop);
  JwtAuthenticator authenticator{issuer, everywhere};
  std::string token = maker.token(clock.wall(), owner.binding());

  std::string judge(const Handshake& handshake) { return std::string(name_of(scene.judge(authenticator, handshake))); }
};

TEST_CASE("bound tokens: the contract, with proofs") {
  FakeClock clock;
  net::Loop control(clock);
  const TokenMaker maker;
  const Owner owner;
  const Owner thief;
  const std::string token = maker.token(clock.wall(), owner.binding());
  AuthenticatorContract contract;
  contract.authenticator = std::make_shared<JwtAuthenticator>(testing::make_issuer(maker, control), everywhere,
                                                              TokenForms::any, SenderConstraint::required);
  contract.good = with_proof(token, owner.proof(token));
  contract.uses = AuthenticatorContract::Uses::once;
  contract.store = AuthenticatorContract::Store::needed;
  contract.bad = {testing::with_bearer(token), with_proof(token, owner.proof(token), "Bearer"),
                  with_proof(token, thief.proof(token)), with_proof(token, "garbage"),
                  testing::with_bearer(maker.token(clock.wall()))};
  contract.present = [&](std::string_view garbage) { return with_proof(token, std::string(garbage)); };
  testing::check_authenticator_contract(contract, clock);
}

TEST_CASE("bound tokens: never without the proof, wherever they travel") {
  Stage stage;
  CHECK(stage.judge(testing::with_bearer(stage.token)) == "credential.invalid");
  CHECK(stage.judge({"Authorization: DPoP " + stage.token + "\r\n"}) == "credential.invalid");
  CHECK(stage.judge(testing::with_in_band(stage.token)) == "credential.invalid");
  CHECK(stage.judge({"Sec-WebSocket-Protocol: chat, bearer." + stage.token + "\r\n"}) == "credential.invalid");
  Handshake in_url;
  in_url.target = "/ws?token=" + stage.token;
  CHECK(stage.judge(in_url) == "credential.invalid");
  Handshake in_cookie{"Cookie: at=" + stage.token + "\r\n"};
  in_cookie.origin = http::OriginProof::allowed;
  CHECK(stage.judge(in_cookie) == "credential.invalid");

  const std::string proof = stage.owner.proof(stage.token);
  CHECK(stage.judge(with_proof(stage.token, proof, "Bearer")) == "credential.invalid");
  CHECK(stage.judge(with_proof(stage.token, proof)) == "accept");
  // Remembered as proved by now, but not as shown by its owner.
  CHECK(stage.judge(testing::with_bearer(stage.token)) == "credential.invalid");
  CHECK(stage.judge(with_proof(stage.token, proof)) == "credential.replayed");
  CHECK(stage.judge(with_proof(stage.token, stage.owner.proof(stage.token, {{"jti", "id-2"}}))) == "accept");
}

TEST_CASE("bound tokens: the ways of a proof") {
  Stage stage;
  const std::string proof = stage.owner.proof(stage.token);
  CHECK(stage.judge({"Sec-WebSocket-Protocol: chat, bearer." + stage.token + ", dpop." + proof + "\r\n"}) == "accept");
  const std::string second = stage.owner.proof(stage.token, {{"jti", "id-2"}});
  CHECK(stage.judge(testing::with_in_band(stage.token + " " + second)) == "accept");
  CHECK(stage.judge(testing::with_in_band(stage.token + " " + second)) == "credential.replayed");
  const std::string third = stage.owner.proof(stage.token, {{"jti", "id-3"}});
  Handshake in_url;
  in_url.target = "/ws?token=" + stage.token;
  in_url.fields = "DPoP: " + third + "\r\n";
  CHECK(stage.judge(in_url) == "accept");

  const std::string fourth = stage.owner.proof(stage.token, {{"jti", "id-4"}});
  Handshake two = with_proof(stage.token, fourth);
  two.fields += "DPoP: " + fourth + "\r\n";
  CHECK(stage.judge(two) == "credential.ambiguous");
  // Where subprotocols carry no token, they carry no proof.
  const JwtAuthenticator fields_only(stage.issuer, {{TokenPlace::header, {}}});
  Handshake offered{"Authorization: DPoP " + stage.token + "\r\nSec-WebSocket-Protocol: dpop." + fourth + "\r\n"};
  CHECK(name_of(stage.scene.judge(fields_only, offered)) == "credential.invalid");
}

TEST_CASE("bound tokens: what a proof must be of") {
  Stage stage;
  int number = 10;
  const auto judge = [&](json::Object more) {
    more.emplace_back("jti", "id-" + std::to_string(number++));
    return stage.judge(with_proof(stage.token, stage.owner.proof(stage.token, std::move(more))));
  };
  CHECK(judge({}) == "accept");
  SUBCASE("the token") {
    CHECK(judge({{"ath", nullptr}}) == "credential.invalid");
    CHECK(judge({{"ath", base64url_encode(crypto::sha256(bytes_of("another")))}}) == "credential.invalid");
  }
  SUBCASE("the method") {
    CHECK(judge({{"htm", "POST"}}) == "credential.invalid");
    CHECK(judge({{"htm", "get"}}) == "credential.invalid");
  }
  SUBCASE("the URL") {
    for (const char* url :
         {"wss://gw.example.test/ws", "https://gw.example.test:443/ws", "HTTPS://GW.example.test/ws",
          "https://gw.example.test/ws?x=1", "https://gw.example.test/ws#f", "https://gw.example.test/%77s"}) {
      INFO(url);
      CHECK(judge({{"htu", url}}) == "accept");
    }
    for (const char* url : {"ws://gw.example.test/ws", "http://gw.example.test/ws", "https://gw.example.test/",
                            "https://gw.example.test", "https://gw.example.test/ws/", "https://gw.example.test:444/ws",
                            "https://other.example.test/ws", "https://gw.example.test.evil.test/ws",
                            "https://gw.example.test@evil.test/ws", "/ws", "gw.example.test/ws", "https:///ws"}) {
      INFO(url);
      CHECK(judge({{"htu", url}}) == "credential.invalid");
    }
  }
  SUBCASE("the time") {
    CHECK(judge({{"iat", 1'800'000'010}}) == "accept");
    CHECK(judge({{"iat", 1'800'000'011}}) == "credential.invalid");
    CHECK(judge({{"iat", 1'800'000'000 - 69}}) == "accept");
    CHECK(judge({{"iat", 1'800'000'000 - 70}}) == "credential.expired");
  }
}

TEST_CASE("bound tokens: a proof is spent for as long as it would be taken") {
  Stage stage;
  const Handshake handshake = with_proof(stage.token, stage.owner.proof(stage.token));
  CHECK(stage.judge(handshake) == "accept");
  stage.clock.advance(69s);
  CHECK(stage.judge(handshake) == "credential.replayed");
  stage.clock.advance(1s);
  CHECK(stage.judge(handshake) == "credential.expired");
}

TEST_CASE("bound tokens: a token that is bound to nobody promises no proof") {
  Stage stage;
  const std::string bearer = stage.maker.token(stage.clock.wall());
  CHECK(stage.judge(testing::with_bearer(bearer)) == "accept");
  CHECK(stage.judge(with_proof(bearer, stage.owner.proof(bearer), "Bearer")) == "accept");
  CHECK(stage.judge(with_proof(bearer, stage.owner.proof(bearer))) == "credential.invalid");
  const JwtAuthenticator strict(stage.issuer, everywhere, TokenForms::any, SenderConstraint::required);
  CHECK(name_of(stage.scene.judge(strict, testing::with_bearer(bearer))) == "credential.invalid");
  // Mechanisms that know no proofs do not take what promises one.
  const auto opaque = make_authenticator(OpaqueConfig{}, "chat").value();
  CHECK(name_of(stage.scene.judge(*opaque, {"Authorization: DPoP spt_x\r\n"})) == "not_mine");
}

TEST_CASE("bound tokens: what `cnf` may say") {
  Stage stage;
  const std::string thumbprint = stage.owner.key.kid();
  const auto judge = [&](json::Value cnf) {
    const std::string token = stage.maker.token(stage.clock.wall(), {{"cnf", std::move(cnf)}});
    return stage.judge(testing::with_bearer(token));
  };
  // Each would let a bearer in if it were read as no binding at all.
  for (const json::Value& cnf :
       {json::Value(1), json::Value("x"), json::Value(json::Array{}), json::Value(json::Object{}),
        json::Value(json::Object{{"jwk", json::Object{}}}), json::Value(json::Object{{"kid", "k"}}),
        json::Value(json::Object{{"jkt", 1}}), json::Value(json::Object{{"jkt", ""}}),
        json::Value(json::Object{{"jkt", "short"}}), json::Value(json::Object{{"x5t#S256", "short"}}),
        json::Value(json::Object{{"jkt", thumbprint}, {"jwk", json::Object{}}})}) {
    INFO(json::dump(cnf));
    CHECK(judge(cnf) == "credential.invalid");
  }
  const json::Value both(json::Object{{"cnf", json::Object{{"jkt", thumbprint}, {"x5t#S256", thumbprint}}}});
  const auto read = parse_confirmation(both);
  REQUIRE(read.ok());
  CHECK(read->key == thumbprint);
  CHECK(read->certificate == thumbprint);
  CHECK(parse_confirmation(json::Value(json::Object{{"sub", "x"}}))->empty());
}

TEST_CASE("bound tokens: the thumbprint of RFC 8705 appendix A") {
  std::ifstream file(SALLYPORT_SOURCE_DIR "/tests/vectors/httpsig/rfc7662-rfc8705.json");
  const auto vectors = json::parse(std::string(std::istreambuf_iterator<char>(file), {}));
  REQUIRE(vectors.ok());
  const json::Value& vector = *vectors->find("rfc8705_appendix_a");
  std::string encoded;
  for (const char c : *vector.find_string("cert_pem")) {
    if (c != '\n') encoded.push_back(c);
  }
  encoded = encoded.substr(27, encoded.size() - 27 - 25);
  const auto certificate = crypto::parse_certificate(bytes_of(base64_decode(encoded).value()));
  REQUIRE(certificate.ok());
  CHECK(base64url_encode(certificate->thumbprint) == *vector.find_string("x5t#S256"));
}

TEST_CASE("bound tokens: a client certificate is the proof") {
  Stage stage;
  crypto::testing::TestAuthority root(1'800'000'000);
  const TemporaryFile ca(root.pem());
  crypto::ClientTrust trust;
  trust.ca_file = ca.path();
  const auto authorities = crypto::ClientAuthorities::load(trust);
  REQUIRE(authorities.ok());
  const auto shown = [&](const crypto::testing::IssuedCertificate& issued) {
    auto verified = (*authorities)->verify({issued.der}, stage.clock.wall());
    REQUIRE_MESSAGE(verified.ok(), verified.error().detail);
    return *verified;
  };
  const auto own = shown(root.issue());
  const auto another = shown(root.issue());
  const std::string thumbprint = base64url_encode((*own)->thumbprint);
  const std::string token = stage.maker.token(stage.clock.wall(), {{"cnf", json::Object{{"x5t#S256", thumbprint}}}});
  Handshake handshake = testing::with_bearer(token);
  CHECK(stage.judge(handshake) == "credential.invalid");
  handshake.certificate = another;
  CHECK(stage.judge(handshake) == "credential.invalid");
  handshake.certificate = own;
  CHECK(stage.judge(handshake) == "accept");
  CHECK(stage.judge(handshake) == "accept");
  handshake.certificate = nullptr;
  CHECK(stage.judge(handshake) == "credential.invalid");
  // Both bindings: both proofs.
  const std::string twice = stage.maker.token(
      stage.clock.wall(), {{"cnf", json::Object{{"x5t#S256", thumbprint}, {"jkt", stage.owner.key.kid()}}}});
  Handshake half = with_proof(twice, stage.owner.proof(twice));
  CHECK(stage.judge(half) == "credential.invalid");
  half.certificate = own;
  CHECK(stage.judge(half) == "accept");
  Handshake other_half = testing::with_bearer(twice);
  other_half.certificate = own;
  CHECK(stage.judge(other_half) == "credential.invalid");
  // A connection that began with a good certificate may outlive it, and bring new requests by HTTP/2.
  stage.clock.advance(25h);
  Handshake later =
      testing::with_bearer(stage.maker.token(stage.clock.wall(), {{"cnf", json::Object{{"x5t#S256", thumbprint}}}}));
  later.certificate = own;
  CHECK(stage.judge(later) == "credential.expired");
}

TEST_CASE("bound tokens: proofs do not reach the backend, nor come back") {
  Stage stage;
  http::Strip strip;
  stage.authenticator.add_to(strip);
  CHECK(strip.headers == std::vector<std::string>{"Authorization", "DPoP"});
  CHECK(strip.subprotocol_prefixes == std::vector<std::string>{"bearer.", "dpop."});
  CHECK(is_credential_subprotocol("Bearer.x"));
  CHECK(is_credential_subprotocol("dpop.x"));
  CHECK(!is_credential_subprotocol("chat"));
  CHECK(!is_credential_subprotocol("dpop"));
}

TEST_CASE("bound tokens: configuration") {
  const auto read = [](std::string_view text) { return config::read(jwt_schema(), text, "test.yaml", {}); };
  CHECK(read("issuer: main").config.sender_constraint == SenderConstraint::optional);
  CHECK(read("{issuer: main, sender_constraint: required, dpop: {window: 30s, skew: 5s}}").ok());
  CHECK(!read("{issuer: main, sender_constraint: never}").ok());
  CHECK(!read("{issuer: main, dpop: {window: 2h}}").ok());
}

}  // namespace
}  // namespace sallyport::auth
