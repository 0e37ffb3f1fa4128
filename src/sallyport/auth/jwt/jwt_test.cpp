#include "sallyport/auth/jwt/jwt.h"

#include <cstdio>
#include <fstream>
#include <iterator>

#include "sallyport/auth/authenticator_contract.h"
#include "sallyport/auth/jwt/testing.h"
#include "sallyport/base/encoding.h"
#include "sallyport/crypto/digest.h"

namespace sallyport::auth {
namespace {

using namespace std::chrono_literals;
using testing::AuthenticatorContract;
using testing::Handshake;
using testing::JwksServer;
using testing::name_of;
using testing::Pending;
using testing::Scene;
using testing::ShiftedClock;
using testing::TemporaryFile;
using testing::TokenMaker;
using testing::with_bearer;
using testing::with_in_band;

const std::vector<TokenSource> everywhere = {
    {TokenPlace::header, {}}, {TokenPlace::subprotocol, {}}, {TokenPlace::cookie, "at"}, {TokenPlace::query, "token"}};

json::Object no_claims() { return {}; }

std::string with_broken_signature(std::string token) {
  char& c = token[token.rfind('.') + 5];
  c = c == 'A' ? 'B' : 'A';
  return token;
}

TEST_CASE("jwt: the contract") {
  FakeClock clock;
  net::Loop control(clock);
  const TokenMaker maker;
  const TokenMaker stranger;
  const std::string good = maker.token(clock.wall());
  AuthenticatorContract contract;
  contract.authenticator = std::make_shared<JwtAuthenticator>(testing::make_issuer(maker, control), everywhere);
  contract.good = with_bearer(good);
  contract.bad = {with_bearer(with_broken_signature(good)),
                  with_bearer(stranger.token(clock.wall())),
                  with_bearer(maker.token(clock.wall() - 1h)),
                  with_bearer(maker.token(clock.wall(), {{"aud", "other"}})),
                  with_bearer("garbage"),
                  with_in_band(""),
                  {"Cookie: at=" + good + "\r\n"}};
  testing::check_authenticator_contract(contract, clock);
}

TEST_CASE("jwt: the claims become the identity") {
  FakeClock clock;
  Scene scene(clock);
  const TokenMaker maker;
  const JwtAuthenticator authenticator(testing::make_issuer(maker, scene.loop), everywhere);
  const std::string token = maker.token(clock.wall(), {{"jti", "j1"},
                                                       {"sid", "s1"},
                                                       {"tenant", "acme"},
                                                       {"scope", "chat.read chat.write"},
                                                       {"roles", json::Array{"admin", "member"}},
                                                       {"acr", "high"},
                                                       {"amr", json::Array{"pwd", "otp"}},
                                                       {"auth_time", to_unix_seconds(clock.wall()) - 30}});
  const Verdict verdict = scene.judge(authenticator, with_bearer(token));
  REQUIRE(verdict.identity());
  const Proven& proven = **verdict.identity();
  CHECK(proven.mechanism == "jwt");
  CHECK(proven.subject == "alice");
  CHECK(proven.issuer == "https://id.example.com");
  CHECK(proven.tenant == "acme");
  CHECK(proven.session_id == "s1");
  CHECK(proven.token_id == "j1");
  CHECK(proven.token_hash == hex_encode(crypto::sha256(bytes_of(token))));
  CHECK(proven.scopes == std::vector<std::string>{"chat.read", "chat.write"});
  CHECK(proven.roles == std::vector<std::string>{"admin", "member"});
  CHECK(proven.acr == "high");
  CHECK(proven.amr == std::vector<std::string>{"pwd", "otp"});
  CHECK(proven.authenticated_at == clock.wall() - 30s);
  CHECK(proven.issued_at == clock.wall());
  CHECK(proven.expires_at == clock.wall() + 600s);
}

TEST_CASE("jwt: the same token by every way") {
  FakeClock clock;
  Scene scene(clock);
  const TokenMaker maker;
  const JwtAuthenticator authenticator(testing::make_issuer(maker, scene.loop), everywhere);
  const std::string token = maker.token(clock.wall());
  CHECK(name_of(scene.judge(authenticator, with_bearer(token))) == "accept");
  CHECK(name_of(scene.judge(authenticator, {"Sec-WebSocket-Protocol: chat, bearer." + token + "\r\n"})) == "accept");
  CHECK(name_of(scene.judge(authenticator, {"Cookie: at=" + token + "\r\n", "/ws", http::OriginProof::allowed})) ==
        "accept");
  CHECK(name_of(scene.judge(authenticator, {"", "/ws?token=" + token})) == "accept");
  CHECK(name_of(scene.judge(authenticator, with_in_band(token))) == "accept");

  http::Strip strip;
  authenticator.add_to(strip);
  CHECK(strip.headers.size() + strip.subprotocol_prefixes.size() + strip.cookies.size() + strip.parameters.size() == 6);
}

TEST_CASE("jwt: each reason and its neighbour") {
  FakeClock clock;
  Scene scene(clock);
  const TokenMaker maker;
  const JwtAuthenticator authenticator(testing::make_issuer(maker, scene.loop), everywhere);
  const std::string good = maker.token(clock.wall());
  const auto judge = [&](const Handshake& handshake) {
    return std::string(name_of(scene.judge(authenticator, handshake)));
  };
  CHECK(judge(with_bearer(good)) == "accept");

  SUBCASE("not_mine") {
    CHECK(judge({}) == "not_mine");
    CHECK(judge(with_bearer("spt_x")) == "not_mine");
    CHECK(judge(with_in_band("spt_x")) == "not_mine");
    CHECK(judge({"Authorization: Basic YTpi\r\n"}) == "not_mine");
  }
  SUBCASE("credential.invalid") {
    CHECK(judge(with_bearer(with_broken_signature(good))) == "credential.invalid");
    CHECK(judge(with_bearer(TokenMaker().token(clock.wall()))) == "credential.invalid");
    CHECK(judge(with_bearer(maker.token(clock.wall(), {{"aud", "other"}}))) == "credential.invalid");
    CHECK(judge(with_bearer(maker.token(clock.wall(), {{"iss", "https://id.example.com/"}}))) == "credential.invalid");
    CHECK(judge(with_bearer(maker.token(clock.wall(), {{"sub", nullptr}}))) == "credential.invalid");
    CHECK(judge(with_bearer(maker.token(clock.wall(), {{"sub", "a\r\nb"}}))) == "credential.invalid");
    CHECK(judge(with_bearer(maker.token(clock.wall(), no_claims(), {{"typ", "dpop+jwt"}}))) == "credential.invalid");
    CHECK(judge(with_bearer(maker.token(clock.wall(), {{"exp", to_unix_seconds(clock.wall()) + 48 * 3600}}))) ==
          "credential.invalid");
  }
  SUBCASE("credential.expired, leeway counted") {
    clock.advance(629s);
    CHECK(judge(with_bearer(good)) == "accept");
    clock.advance(1s);
    CHECK(judge(with_bearer(good)) == "credential.expired");
  }
  SUBCASE("credential.ambiguous") {
    CHECK(judge({"Authorization: Bearer " + good + "\r\n", "/ws?token=" + good}) == "credential.ambiguous");
  }
  SUBCASE("origin.missing") { CHECK(judge({"Cookie: at=" + good + "\r\n"}) == "origin.missing"); }
}

TEST_CASE("jwt: no detail holds the token") {
  FakeClock clock;
  Scene scene(clock);
  const TokenMaker maker;
  const JwtAuthenticator authenticator(testing::make_issuer(maker, scene.loop), everywhere);
  for (const std::string& token : {with_broken_signature(maker.token(clock.wall())), maker.token(clock.wall() - 1h),
                                   maker.token(clock.wall(), {{"aud", "other"}})}) {
    const Verdict verdict = scene.judge(authenticator, with_bearer(token));
    REQUIRE(verdict.error());
    CHECK(verdict.error()->detail.find(token.substr(0, 20)) == std::string::npos);
    CHECK(verdict.error()->detail.find(token.substr(token.rfind('.'))) == std::string::npos);
  }
}

// Every token of the collection, through the whole mechanism.
TEST_CASE("jwt: jwt-attacks.json") {
  std::ifstream stream(SALLYPORT_SOURCE_DIR "/tests/vectors/jose/jwt-attacks.json", std::ios::binary);
  const auto file = json::parse(std::string{std::istreambuf_iterator<char>(stream), {}});
  REQUIRE(file.ok());
  const json::Value& policy = *file->find("policy");
  FakeClock clock(*policy.find("now")->integer());
  Scene scene(clock);

  const TemporaryFile keys(json::dump(*file->find("jwks")));
  IssuerConfig config = testing::issuer_config(keys.path());
  config.issuer = *policy.find_string("issuer");
  config.audience = {*policy.find_string("audience")};
  config.algorithms.clear();
  for (const json::Value& algorithm : *policy.find("algorithms")->array()) {
    config.algorithms.push_back(*jose::parse_algorithm(*algorithm.string()));
  }
  config.leeway = std::chrono::seconds(*policy.find("leeway_seconds")->integer());
  const auto issuer = make_issuer(config, config::empty_environment(), scene.loop);
  REQUIRE(issuer.ok());
  const JwtAuthenticator authenticator(*issuer, everywhere);

  int judged = 0;
  for (const json::Value& one : *file->find("cases")->array()) {
    const std::string id = *one.find_string("id");
    const std::string& token = *one.find_string("token");
    const std::string& expected = *one.find_string("expect");
    CAPTURE(id);

    std::unique_ptr<JwksServer> lure;
    if (const std::string* forbidden = one.find_string("must_not_connect")) {
      lure = std::make_unique<JwksServer>("{}", std::stoi(forbidden->substr(forbidden->rfind(':') + 1)));
      WARN_MESSAGE(lure->listening(), "the port that this token names is taken by somebody else");
    }
    std::vector<Handshake> ways = {with_in_band(token)};
    if (token.size() <= max_token_size) {
      ways.push_back(with_bearer(token));
      ways.push_back({"", "/ws?token=" + token});
    }
    for (const Handshake& way : ways) {
      const Verdict verdict = scene.judge(authenticator, way);
      CAPTURE(std::string(name_of(verdict)));
      CHECK(!verdict.is_not_mine());
      if (expected == "accept") CHECK(verdict.identity());
      if (expected == "reject")
        CHECK((name_of(verdict) == "credential.invalid" || name_of(verdict) == "credential.expired"));
    }
    if (lure) CHECK(lure->requests() == 0);
    ++judged;
  }
  CHECK(judged == 53);
}

TEST_CASE("jwt: keys that a token brings or points to are never used") {
  FakeClock clock;
  Scene scene(clock);
  const TokenMaker maker;
  const TokenMaker attacker;
  const JwksServer lure(attacker.jwks());
  const JwtAuthenticator authenticator(testing::make_issuer(maker, scene.loop), everywhere);
  const auto judge = [&](json::Object header) {
    return std::string(
        name_of(scene.judge(authenticator, with_bearer(attacker.token(clock.wall(), no_claims(), std::move(header))))));
  };
  CHECK(judge({{"typ", "JWT"}, {"jku", lure.url()}}) == "credential.invalid");
  CHECK(judge({{"typ", "JWT"}, {"x5u", lure.url()}}) == "credential.invalid");
  CHECK(judge({{"typ", "JWT"}, {"jwk", attacker.jwk()}}) == "credential.invalid");
  for (int turns = 0; turns < 5; ++turns) scene.loop.turn(1ms);
  CHECK(lure.requests() == 0);
}

// An authenticator whose keys come from a server.
struct Rotation {
  explicit Rotation(std::string jwks) : server(std::move(jwks)), scene(clock), client(scene.loop) {
    auto made = std::make_shared<Issuer>(*testing::make_issuer(TokenMaker(), scene.loop));
    keys = std::make_shared<UrlKeys>(UrlKeysSettings{server.url(), "", 300s}, scene.loop);
    made->keys = keys;
    authenticator = std::make_unique<JwtAuthenticator>(made, everywhere);
  }
  ~Rotation() { server.release(); }
  void start() { upkeep = std::make_unique<KeyUpkeep>(keys, client, random); }
  void turn_until_fetched(std::uint64_t fetches) {
    for (int turns = 0; keys->status().fetches_ok + keys->status().fetches_failed < fetches; ++turns) {
      SALLYPORT_CHECK(turns < 2000);
      scene.loop.turn(5ms);
    }
  }
  void advance(Duration by) {
    clock.advance(by);
    scene.loop.turn(0ms);
  }
  std::string judge(const std::string& token) {
    return std::string(name_of(scene.judge(*authenticator, with_bearer(token))));
  }

  ShiftedClock clock;
  JwksServer server;
  Scene scene;
  crypto::FakeRandom random;
  net::HttpClient client;
  std::shared_ptr<UrlKeys> keys;
  std::unique_ptr<KeyUpkeep> upkeep;
  std::unique_ptr<JwtAuthenticator> authenticator;
};

TEST_CASE("jwt: a new key is found by its first token") {
  const TokenMaker before;
  const TokenMaker after;
  Rotation rotation(before.jwks());
  rotation.start();
  rotation.turn_until_fetched(1);
  CHECK(rotation.judge(before.token(rotation.clock.wall())) == "accept");

  rotation.server.answer(testing::jwks_of(before, after));
  rotation.advance(10s);
  CHECK(rotation.judge(after.token(rotation.clock.wall())) == "accept");
  CHECK(rotation.judge(before.token(rotation.clock.wall())) == "accept");
  CHECK(rotation.server.requests() == 2);

  // The old key is withdrawn.
  rotation.server.answer(after.jwks());
  rotation.advance(10s);
  CHECK(rotation.judge(TokenMaker().token(rotation.clock.wall())) == "credential.invalid");
  CHECK(rotation.server.requests() == 3);
  CHECK(rotation.judge(after.token(rotation.clock.wall())) == "accept");
  CHECK(rotation.judge(before.token(rotation.clock.wall())) == "credential.invalid");
}

TEST_CASE("jwt: invented keys cost the issuer one request in ten seconds") {
  const TokenMaker maker;
  Rotation rotation(maker.jwks());
  rotation.start();
  rotation.turn_until_fetched(1);
  rotation.advance(10s);
  for (int i = 0; i < 20; ++i) CHECK(rotation.judge(TokenMaker().token(rotation.clock.wall())) == "credential.invalid");
  CHECK(rotation.server.requests() == 2);
  rotation.advance(10s);
  for (int i = 0; i < 20; ++i) CHECK(rotation.judge(TokenMaker().token(rotation.clock.wall())) == "credential.invalid");
  CHECK(rotation.server.requests() == 3);
  // A bad signature under a known key asks nobody.
  rotation.advance(10s);
  CHECK(rotation.judge(with_broken_signature(maker.token(rotation.clock.wall()))) == "credential.invalid");
  CHECK(rotation.server.requests() == 3);
}

TEST_CASE("jwt: a source that goes down leaves the last good set") {
  const TokenMaker maker;
  Rotation rotation(maker.jwks());
  rotation.start();
  rotation.turn_until_fetched(1);
  rotation.server.answer("", 503);
  rotation.advance(340s);
  rotation.turn_until_fetched(2);
  CHECK(rotation.judge(maker.token(rotation.clock.wall())) == "accept");
  rotation.advance(10s);
  CHECK(rotation.judge(TokenMaker().token(rotation.clock.wall())) == "credential.invalid");
  CHECK(rotation.keys->status().fetches_failed >= 2);
}

TEST_CASE("jwt: keys.unavailable while no key set was ever loaded") {
  const TokenMaker maker;
  Rotation rotation(maker.jwks());
  rotation.server.answer("", 503);
  CHECK(rotation.judge(maker.token(rotation.clock.wall())) == "keys.unavailable");
  rotation.start();
  rotation.turn_until_fetched(1);
  CHECK(rotation.judge(maker.token(rotation.clock.wall())) == "keys.unavailable");
  rotation.server.answer(maker.jwks());
  rotation.advance(2s);
  rotation.turn_until_fetched(2);
  CHECK(rotation.judge(maker.token(rotation.clock.wall())) == "accept");
}

TEST_CASE("jwt: who comes before the first key set waits for it, until the deadline") {
  const TokenMaker maker;
  Rotation rotation(maker.jwks());
  rotation.server.hold();
  rotation.start();
  while (rotation.server.requests() == 0) rotation.scene.loop.turn(5ms);
  const Handshake handshake = with_bearer(maker.token(rotation.clock.wall()));
  auto pending = rotation.scene.start(*rotation.authenticator, handshake);
  for (int turns = 0; turns < 10; ++turns) rotation.scene.loop.turn(1ms);
  CHECK(!pending.done());
  SUBCASE("it comes") {
    rotation.server.release();
    CHECK(name_of(pending.wait()) == "accept");
  }
  SUBCASE("it does not come") {
    rotation.clock.advance(UrlKeys::fetch_timeout);
    CHECK(name_of(pending.wait()) == "keys.unavailable");
  }
  SUBCASE("the deadline comes first") {
    const net::Deadline soon{rotation.clock.now() + 1s, Reason::auth_timeout};
    Pending<Result<KeySource::Snapshot>> impatient(rotation.scene.loop,
                                                   rotation.keys->newer_than(nullptr, rotation.scene.loop, soon));
    rotation.clock.advance(1s);
    CHECK(impatient.wait().error().reason == Reason::auth_timeout);
    CHECK(!pending.done());
  }
}

jose::Claims claims_of(json::Object payload) {
  jose::Claims claims;
  claims.issuer = "i";
  claims.subject = "default";
  claims.expires_at = from_unix_seconds(1);
  claims.payload = std::move(payload);
  return claims;
}

TEST_CASE("jwt: renamed claims") {
  const json::Object payload{{"user", "bob"},
                             {"org", "acme"},
                             {"session", "s"},
                             {"https://example.com/roles", json::Array{"a", "b"}},
                             {"permissions", json::Array{"read", "write"}},
                             {"spaced", "read  write"},
                             {"number", 1},
                             {"empty", ""},
                             {"control", "a\nb"},
                             {"mixed", json::Array{"a", 1}},
                             {"realm_access", json::Object{{"roles", json::Array{"admin"}}, {"a/b~c", "odd"}}}};
  const auto read = [&](ClaimNames names) { return make_proven(claims_of(payload), names); };

  CHECK(read({}).value().subject == "default");
  CHECK(read({.subject = "user"}).value().subject == "bob");
  CHECK(read({.subject = "/user"}).value().subject == "bob");
  CHECK(read({.tenant = "org"}).value().tenant == "acme");
  CHECK(read({.session_id = "session"}).value().session_id == "s");
  CHECK(read({.roles = "https://example.com/roles"}).value().roles == std::vector<std::string>{"a", "b"});
  CHECK(read({.roles = "/realm_access/roles"}).value().roles == std::vector<std::string>{"admin"});
  CHECK(read({.subject = "/realm_access/roles/0"}).value().subject == "admin");
  CHECK(read({.subject = "/realm_access/a~1b~0c"}).value().subject == "odd");
  CHECK(read({.scopes = "permissions"}).value().scopes == std::vector<std::string>{"read", "write"});
  CHECK(read({.scopes = "spaced"}).value().scopes == std::vector<std::string>{"read", "write"});

  // What is absent is empty; only a subject there must be.
  CHECK(read({.tenant = "none"}).value().tenant.empty());
  CHECK(read({.roles = "/realm_access/none"}).value().roles.empty());
  CHECK(read({.roles = "/user/none"}).value().roles.empty());
  for (const char* name :
       {"none", "/none", "/", "/realm_access/roles/1", "/realm_access/roles/00", "/realm_access/roles/-",
        "/realm_access/a~2", "number", "empty", "control", "realm_access"}) {
    INFO(name);
    const auto proven = read({.subject = name});
    REQUIRE(!proven.ok());
    CHECK(proven.error().reason == Reason::credential_invalid);
  }
  CHECK(!read({.roles = "user"}).ok());
  CHECK(!read({.roles = "mixed"}).ok());
  CHECK(!read({.scopes = "mixed"}).ok());
  CHECK(!read({.scopes = "control"}).ok());
  CHECK(!read({.scopes = "number"}).ok());
}

TEST_CASE("jwt: a token without `sub` where another claim names the subject") {
  FakeClock clock;
  Scene scene(clock);
  const TokenMaker maker;
  const TemporaryFile file(maker.jwks());
  IssuerConfig config = testing::issuer_config(file.path());
  config.claims.subject = "user";
  const JwtAuthenticator authenticator(make_issuer(config, config::empty_environment(), scene.loop).value(),
                                       everywhere);
  const std::string token = maker.token(clock.wall(), {{"sub", nullptr}, {"user", "bob"}});
  const Verdict verdict = scene.judge(authenticator, with_bearer(token));
  REQUIRE(verdict.identity());
  CHECK((*verdict.identity())->subject == "bob");
  CHECK(name_of(scene.judge(authenticator, with_bearer(maker.token(clock.wall())))) == "credential.invalid");
}

TEST_CASE("jwt: configuration") {
  const auto read = [](std::string_view text) { return config::read(jwt_schema(), text, "test.yaml", {}); };
  CHECK(read("issuer: main").ok());
  CHECK(read("{ issuer: main, from: [header, subprotocol, cookie:access_token, query:token] }").config.from.size() ==
        4);
  CHECK(!read("{}").ok());
  CHECK(!read("{ issuer: main, from: [] }").ok());
  CHECK(!read("{ issuer: main, from: [body] }").ok());

  const FakeClock clock;
  net::Loop loop(clock);
  const std::vector<std::shared_ptr<const Issuer>> issuers = {testing::make_issuer(TokenMaker(), loop)};
  CHECK(make_authenticator(JwtConfig{"main"}, issuers).ok());
  const auto unknown = make_authenticator(JwtConfig{"other"}, issuers);
  REQUIRE(!unknown.ok());
  CHECK(unknown.error().reason == Reason::config_invalid);
  CHECK(jwt_plug().name == "jwt");
}

// An issuer whose keys a test may exchange.
class ExchangedKeys final : public KeySource {
 public:
  explicit ExchangedKeys(const TokenMaker& maker) { exchange(maker); }
  void exchange(const TokenMaker& maker) {
    keys_ = std::make_shared<const jose::JwkSet>(jose::JwkSet::parse(maker.jwks()).value());
  }
  Snapshot snapshot() const override { return keys_; }
  net::Task<Result<Snapshot>> newer_than(Snapshot, net::Loop&, net::Deadline) override { co_return keys_; }
  KeyStatus status() const override { return {}; }

 private:
  Snapshot keys_;
};

struct Remembering {
  explicit Remembering(std::uint32_t most = 100) {
    const TemporaryFile file(maker.jwks());
    IssuerConfig config = testing::issuer_config(file.path());
    config.verified_tokens = most;
    auto made = std::make_shared<Issuer>(*auth::make_issuer(config, config::empty_environment(), scene.loop).value());
    made->keys = keys;
    issuer = made;
  }
  std::string judge(const std::string& token) {
    return std::string(name_of(scene.judge(JwtAuthenticator(issuer, everywhere), with_bearer(token))));
  }
  VerifiedTokens::Counts counts() const { return issuer->verified->counts(); }

  FakeClock clock;
  Scene scene{clock};
  TokenMaker maker;
  std::shared_ptr<ExchangedKeys> keys = std::make_shared<ExchangedKeys>(maker);
  std::shared_ptr<const Issuer> issuer;
};

TEST_CASE("jwt: a token that comes again is remembered, whoever asks, and says the same") {
  Remembering scene;
  const std::string token = scene.maker.token(scene.clock.wall(), {{"scope", "a b"}, {"jti", "1"}});
  const JwtAuthenticator one(scene.issuer, everywhere);
  const JwtAuthenticator other(scene.issuer, {{TokenPlace::header, {}}});
  const Verdict first = scene.scene.judge(one, with_bearer(token));
  const Verdict second = scene.scene.judge(other, with_bearer(token));
  REQUIRE(first.identity());
  REQUIRE(second.identity());
  CHECK(scene.counts().not_found == 1);
  CHECK(scene.counts().found == 1);
  const Proven& a = **first.identity();
  const Proven& b = **second.identity();
  CHECK(a.subject == b.subject);
  CHECK(a.scopes == b.scopes);
  CHECK(a.token_id == b.token_id);
  CHECK(a.token_hash == b.token_hash);
  CHECK(b.token_hash == hex_encode(crypto::sha256(bytes_of(token))));
  CHECK(a.expires_at == b.expires_at);
}

TEST_CASE("jwt: a remembered token expires all the same") {
  Remembering scene;
  const std::string token = scene.maker.token(scene.clock.wall());
  CHECK(scene.judge(token) == "accept");
  scene.clock.advance(629s);
  CHECK(scene.judge(token) == "accept");
  CHECK(scene.counts().found == 1);
  scene.clock.advance(1s);
  CHECK(scene.judge(token) == "credential.expired");
}

TEST_CASE("jwt: a remembered token is as early as any when the clock is set back") {
  Remembering scene;
  const std::string token = scene.maker.token(scene.clock.wall(), {{"nbf", to_unix_seconds(scene.clock.wall())}});
  CHECK(scene.judge(token) == "accept");
  scene.clock.advance(-1h);
  CHECK(scene.judge(token) == "credential.invalid");
}

TEST_CASE("jwt: a remembered token falls with the key that proved it") {
  Remembering scene;
  const std::string token = scene.maker.token(scene.clock.wall());
  CHECK(scene.judge(token) == "accept");
  CHECK(scene.judge(token) == "accept");
  const TokenMaker successor;
  scene.keys->exchange(successor);
  CHECK(scene.judge(token) == "credential.invalid");
  CHECK(scene.counts().kept == 0);
  CHECK(scene.judge(successor.token(scene.clock.wall())) == "accept");
}

TEST_CASE("jwt: a token that is bound to a key is no bearer token") {
  FakeClock clock;
  Scene scene(clock);
  const TokenMaker maker;
  const JwtAuthenticator authenticator(testing::make_issuer(maker, scene.loop), everywhere);
  const auto judge = [&](json::Value cnf) {
    return std::string(
        name_of(scene.judge(authenticator, with_bearer(maker.token(clock.wall(), {{"cnf", std::move(cnf)}})))));
  };
  CHECK(judge(json::Object{{"jkt", "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}}) == "credential.invalid");
  CHECK(judge(json::Object{{"x5t#S256", "x"}}) == "credential.invalid");
  CHECK(judge(json::Object{{"new", "x"}}) == "credential.invalid");
  CHECK(judge("x") == "credential.invalid");
}

TEST_CASE("jwt: asked again, the key that signed the token must still be there") {
  FakeClock clock;
  Scene scene(clock);
  const TokenMaker maker;
  const TokenMaker other;
  auto issuer = std::make_shared<Issuer>(*testing::make_issuer(maker, scene.loop));
  const auto keys_of = [&](const std::string& jwks) {
    return std::make_shared<FixedKeys>(jose::JwkSet::parse(jwks).value(), clock.wall());
  };
  const JwtAuthenticator authenticator(issuer, everywhere);
  const Identity present = *scene.judge(authenticator, with_bearer(maker.token(clock.wall()))).identity();
  const auto again = [&] { return std::string(name_of(scene.recheck(authenticator, {present}).front())); };
  CHECK(again() == "accept");
  issuer->keys = keys_of(testing::jwks_of(other, maker));
  CHECK(again() == "accept");
  issuer->keys = keys_of(other.jwks());
  CHECK(again() == "credential.revoked");
  issuer->keys = std::make_shared<UrlKeys>(UrlKeysSettings{"http://127.0.0.1:1/", "", 300s}, scene.loop);
  CHECK(again() == "keys.unavailable");
}

TEST_CASE("jwt: the claims that somebody asks for are kept, and no other") {
  FakeClock clock;
  Scene scene(clock);
  const TokenMaker maker;
  auto issuer = std::make_shared<Issuer>(*testing::make_issuer(maker, scene.loop));
  issuer->kept_claims = {"department", "absent"};
  const JwtAuthenticator authenticator(issuer, everywhere);
  const auto verdict =
      scene.judge(authenticator, with_bearer(maker.token(clock.wall(), {{"department", "ops"}, {"secret", "x"}})));
  REQUIRE(verdict.identity());
  const Proven& proven = **verdict.identity();
  CHECK(json::dump(proven.claims) == R"({"department":"ops"})");
}

TEST_CASE("jwt: a token remembered for one audience is nothing to another") {
  Remembering chat;
  auto elsewhere = std::make_shared<Issuer>(*chat.issuer);
  elsewhere->policy.audiences = {"billing"};
  elsewhere->verified = std::make_shared<VerifiedTokens>(100);
  const std::string token = chat.maker.token(chat.clock.wall());
  CHECK(chat.judge(token) == "accept");
  const JwtAuthenticator billing(elsewhere, everywhere);
  CHECK(name_of(chat.scene.judge(billing, with_bearer(token))) == "credential.invalid");
  CHECK(elsewhere->verified->counts().kept == 0);
}

TEST_CASE("jwt: nothing that was refused is remembered") {
  Remembering scene;
  const std::string good = scene.maker.token(scene.clock.wall());
  for (int i = 0; i < 2; ++i) {
    CHECK(scene.judge(with_broken_signature(good)) == "credential.invalid");
    CHECK(scene.judge("garbage") == "credential.invalid");
    CHECK(scene.judge(TokenMaker().token(scene.clock.wall())) == "credential.invalid");
    CHECK(scene.judge(scene.maker.token(scene.clock.wall() - 1h)) == "credential.expired");
    CHECK(scene.judge(scene.maker.token(scene.clock.wall(), {{"aud", "other"}})) == "credential.invalid");
    CHECK(scene.judge(scene.maker.token(scene.clock.wall(), {{"sub", nullptr}})) == "credential.invalid");
  }
  CHECK(scene.counts().kept == 0);
  CHECK(scene.counts().found == 0);
  // And one who was accepted lends nothing to one who differs in the signature alone.
  CHECK(scene.judge(good) == "accept");
  CHECK(scene.judge(with_broken_signature(good)) == "credential.invalid");
}

TEST_CASE("jwt: a flood of distinct tokens is remembered within bounds, and who keeps coming stays") {
  Remembering scene(8);
  const std::string faithful = scene.maker.token(scene.clock.wall(), {{"jti", "faithful"}});
  CHECK(scene.judge(faithful) == "accept");
  for (int i = 0; i < 40; ++i) {
    CHECK(scene.judge(scene.maker.token(scene.clock.wall(), {{"jti", std::to_string(i)}})) == "accept");
    CHECK(scene.counts().kept <= 8);
    const std::uint64_t before = scene.counts().found;
    CHECK(scene.judge(faithful) == "accept");
    CHECK(scene.counts().found == before + 1);
  }
}

TEST_CASE("jwt: none are remembered where none are wanted") {
  Remembering scene(0);
  const std::string token = scene.maker.token(scene.clock.wall());
  CHECK(scene.judge(token) == "accept");
  CHECK(scene.judge(token) == "accept");
  CHECK(scene.counts().kept == 0);
  CHECK(scene.counts().found == 0);
}

}  // namespace
}  // namespace sallyport::auth
