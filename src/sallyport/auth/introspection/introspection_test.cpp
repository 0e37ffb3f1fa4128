#include "sallyport/auth/introspection/introspection.h"

#include "sallyport/auth/authenticator_contract.h"
#include "sallyport/auth/introspection/answer.h"
#include "sallyport/auth/introspection/client.h"
#include "sallyport/auth/introspection/opinions.h"
#include "sallyport/auth/jwt/testing.h"
#include "sallyport/auth/service_testing.h"
#include "sallyport/base/encoding.h"
#include "sallyport/jose/jwt.h"

namespace sallyport::auth {
namespace {

using namespace std::chrono_literals;
using testing::Asked;
using testing::AuthenticatorContract;
using testing::DecidingServer;
using testing::Handshake;
using testing::name_of;
using testing::Reply;
using testing::Scene;
using testing::TemporaryFile;
using testing::with_bearer;
using testing::with_in_band;

const std::string secret = "a secret: of 32 bytes and more..";

json::Object active(WallTime now, json::Object more = {}) {
  json::Object answer{
      {"active", true},     {"sub", "alice"},         {"aud", "chat"}, {"scope", "a b"},
      {"client_id", "web"}, {"token_type", "Bearer"}, {"jti", "t-1"},  {"exp", to_unix_seconds(now) + 600}};
  for (auto& [name, value] : more) {
    std::erase_if(answer, [&](const auto& member) { return member.first == name; });
    answer.emplace_back(name, value);
  }
  std::erase_if(answer, [](const auto& member) { return member.second.is_null(); });
  return answer;
}

// Knows the tokens `good…`, each of the subject alice.
DecidingServer::Decide knows_good(const FakeClock& clock) {
  return [now = clock.wall()](const Asked& asked) -> Reply {
    if (!asked.body.starts_with("token=good")) return {R"({"active":false})"};
    return {json::dump(active(now))};
  };
}

IntrospectionConfig config_for(const DecidingServer& server, const TemporaryFile& secret_file) {
  IntrospectionConfig config;
  config.url = server.url("/introspect");
  config.client.id = "gate:way";
  config.client.secret = {config::SecretSource::Kind::file, secret_file.path()};
  config.from = {"header", "subprotocol", "cookie:token", "query:token"};
  config.audience = {"chat"};
  return config;
}

struct Setting {
  explicit Setting(std::function<void(IntrospectionConfig&)> change = [](IntrospectionConfig&) {})
      : server(knows_good(clock)), config(config_for(server, secret_file)) {
    change(config);
    authenticator = make_authenticator(config, config::empty_environment(), TokenForms::any).value();
  }
  ~Setting() {
    server.release();
    scene.loop.cancel_tasks();
  }
  std::string judge(const Handshake& handshake) { return std::string(name_of(scene.judge(*authenticator, handshake))); }
  std::string judge(std::string_view token = "good") { return judge(with_bearer(token)); }
  void decide(json::Object answer) {
    server.decide([text = json::dump(std::move(answer))](const Asked&) -> Reply { return {text}; });
  }
  void pass(Duration time) {
    clock.advance(time);
    scene.loop.turn(Duration::zero());
  }
  template <class F>
  void turn_until(F done) {
    for (int turns = 0; !done(); ++turns) {
      SALLYPORT_CHECK(turns < 2000);
      scene.loop.turn(5ms);
    }
  }

  FakeClock clock;
  TemporaryFile secret_file{secret};
  DecidingServer server;
  IntrospectionConfig config;
  Scene scene{clock};
  std::shared_ptr<const Authenticator> authenticator;
};

TEST_CASE("introspection: the contract") {
  FakeClock clock;
  const TemporaryFile secret_file(secret);
  DecidingServer server(knows_good(clock));
  AuthenticatorContract contract;
  contract.authenticator =
      make_authenticator(config_for(server, secret_file), config::empty_environment(), TokenForms::any).value();
  contract.good = with_bearer("good");
  contract.bad = {with_bearer("bad"), with_in_band("bad"), Handshake{"Cookie: token=good\r\n"},
                  Handshake{"Authorization: Bearer good\r\n", "/ws?token=good"}};
  contract.answers = AuthenticatorContract::Answers::from_elsewhere;
  testing::check_authenticator_contract(contract, clock);
}

TEST_CASE("introspection: the answer becomes the identity") {
  Setting setting;
  setting.decide(active(setting.clock.wall(), {{"iss", "https://id.example.com"},
                                               {"tenant", "acme"},
                                               {"sid", "s-1"},
                                               {"roles", json::Array{"member"}},
                                               {"amr", json::Array{"pwd"}},
                                               {"acr", "gold"},
                                               {"iat", to_unix_seconds(setting.clock.wall()) - 5},
                                               {"auth_time", to_unix_seconds(setting.clock.wall()) - 9},
                                               {"username", "al"}}));
  const Verdict verdict = setting.scene.judge(*setting.authenticator, with_bearer("good"));
  REQUIRE(verdict.identity());
  const Proven& proven = **verdict.identity();
  CHECK(proven.mechanism == "introspection");
  CHECK(proven.subject == "alice");
  CHECK(proven.issuer == "https://id.example.com");
  CHECK(proven.tenant == "acme");
  CHECK(proven.session_id == "s-1");
  CHECK(proven.token_id == "t-1");
  CHECK(proven.token_hash == hex_encode(crypto::sha256(bytes_of("good"))));
  CHECK(proven.scopes == std::vector<std::string>{"a", "b"});
  CHECK(proven.roles == std::vector<std::string>{"member"});
  CHECK(proven.amr == std::vector<std::string>{"pwd"});
  CHECK(proven.acr == "gold");
  CHECK(proven.issued_at == setting.clock.wall() - 5s);
  CHECK(proven.authenticated_at == setting.clock.wall() - 9s);
  CHECK(proven.expires_at == setting.clock.wall() + 600s);
  CHECK(*proven.claims.find_string("username") == "al");
  CHECK(!proven.claims.find("active"));
  CHECK(proven.grounds);
}

TEST_CASE("introspection: the question") {
  Setting setting;
  CHECK(setting.judge("good+/~") == "accept");
  const Asked asked = setting.server.asked().front();
  CHECK(asked.head.starts_with("POST /introspect HTTP/1.1\r\n"));
  CHECK(asked.has("Content-Type: application/x-www-form-urlencoded\r\n"));
  CHECK(asked.has("Accept: application/json\r\n"));
  CHECK(asked.body == "token=good%2B%2F%7E&token_type_hint=access_token");
  // Both parts are escaped first (RFC 6749 §2.3.1), or the colon of one would cut the other.
  const std::string pair = form_encode("gate:way") + ":" + form_encode(secret);
  CHECK(pair.starts_with("gate%3Away:a%20secret%3A"));
  CHECK(asked.has("Authorization: Basic " + base64_encode(bytes_of(pair)) + "\r\n"));
}

TEST_CASE("introspection: the other ways to say who asks") {
  FakeClock clock;
  crypto::FakeRandom random;
  const Secret token(std::string("good"));
  const TemporaryFile secret_file(secret);
  ClientConfig config;
  config.id = "gateway";
  config.secret = {config::SecretSource::Kind::file, secret_file.path()};
  const auto ask = [&] {
    return IntrospectionClient::make(config, "https://id.example.com/introspect", config::empty_environment())
        .value()
        ->ask_about(token, clock.wall(), random);
  };
  const std::string start = "token=good&token_type_hint=access_token";
  SUBCASE("client_secret_post") {
    config.method = ClientMethod::client_secret_post;
    CHECK(ask().body == start + "&client_id=gateway&client_secret=" + form_encode(secret));
    CHECK(ask().headers.size() == 2);
  }
  SUBCASE("bearer") {
    config.method = ClientMethod::bearer;
    CHECK(ask().body == start);
    CHECK(ask().headers.back() == std::pair<std::string, std::string>("Authorization", "Bearer " + secret));
  }
  SUBCASE("private_key_jwt, a token of its own each time") {
    const auto key = jose::SigningKey::generate(jose::Algorithm::ES256);
    const Secret text = key.to_private_jwk();
    const TemporaryFile key_file(text.reveal());
    config.method = ClientMethod::private_key_jwt;
    config.secret = {};
    config.key_file.path = key_file.path();
    std::string audience = "https://id.example.com/introspect";
    SUBCASE("for the URL") {}
    SUBCASE("for whom it names") { audience = config.assertion_audience = "https://id.example.com"; }
    const std::string body = ask().body;
    CHECK(body != ask().body);
    const std::string before = start +
                               "&client_id=gateway&client_assertion_type="
                               "urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer&client_assertion=";
    REQUIRE(body.starts_with(before));
    jose::JwtPolicy policy;
    policy.issuers = {"gateway"};
    policy.audiences = {audience};
    policy.algorithms.add(jose::Algorithm::ES256);
    policy.types = {"JWT"};
    policy.max_lifetime = 60s;
    const jose::JwkSet keys({jose::Jwk::parse(json::Value(key.to_public_jwk())).value()});
    const auto verdict = jose::verify_jwt(body.substr(before.size()), keys, policy, clock.wall());
    REQUIRE_MESSAGE(verdict.claims.ok(), verdict.claims.error().detail);
    CHECK(verdict.claims->subject == "gateway");
    CHECK(!verdict.claims->token_id.empty());
  }
  SUBCASE("what cannot serve is refused at start") {
    const auto make = [&] {
      return IntrospectionClient::make(config, "https://id.example.com/", config::empty_environment()).ok();
    };
    config.secret.where = "/nowhere";
    CHECK(!make());
    config.method = ClientMethod::private_key_jwt;
    for (const char* text :
         {"", "no JSON", "{}", R"({"keys":[]})",
          R"({"kty":"oct","kid":"a","alg":"HS256","k":"yKpR1y-bjWk0cS8dWbHWTHoSxGm3vYjQZC1DgKDwzxY"})"}) {
      CAPTURE(text);
      const TemporaryFile key_file(text);
      config.key_file.path = key_file.path();
      CHECK(!make());
    }
  }
}

AnswerPolicy policy() {
  AnswerPolicy policy;
  policy.audience = {"chat", "news"};
  policy.token_types = {"", "Bearer"};
  policy.source = "https://id.example.com/introspect";
  return policy;
}

std::string verdict_on(const json::Value& answer, const AnswerPolicy& policy, WallTime now) {
  const auto read = read_answer(json::dump(answer), policy, now);
  return read ? "ok" : std::string(row(read.error().reason).name);
}

TEST_CASE("introspection answer: each reason and its neighbour") {
  const FakeClock clock;
  const WallTime now = clock.wall();
  const auto with = [&](json::Object more) { return verdict_on(active(now, std::move(more)), policy(), now); };
  CHECK(with({}) == "ok");

  SUBCASE("active") {
    CHECK(with({{"active", false}}) == "credential.invalid");
    CHECK(with({{"active", nullptr}}) == "auth.unavailable");
    for (const json::Value& wrong : {json::Value("true"), json::Value(1), json::Value(json::Array{})})
      CHECK(with({{"active", wrong}}) == "auth.unavailable");
    CHECK(verdict_on(json::Object{{"active", false}, {"sub", "alice"}, {"exp", "x"}}, policy(), now) ==
          "credential.invalid");
  }
  SUBCASE("no answer") {
    for (const char* body : {"", "x", "[]", "true", "{\"active\":true", R"({"active":true,"active":false})"}) {
      CAPTURE(body);
      const auto read = read_answer(body, policy(), now);
      REQUIRE(!read.ok());
      CHECK(read.error().reason == Reason::auth_unavailable);
    }
  }
  SUBCASE("exp") {
    CHECK(with({{"exp", to_unix_seconds(now) + 1}}) == "ok");
    CHECK(with({{"exp", to_unix_seconds(now)}}) == "credential.expired");
    CHECK(with({{"exp", "soon"}}) == "auth.unavailable");
    CHECK(with({{"exp", -1}}) == "auth.unavailable");
    CHECK(with({{"exp", 1e300}}) == "auth.unavailable");
    const auto fraction = read_answer(json::dump(active(now, {{"exp", 1800000600.75}})), policy(), now);
    CHECK(fraction->expires_at == from_unix_seconds(1800000600) + 750ms);
    const auto none = read_answer(json::dump(active(now, {{"exp", nullptr}})), policy(), now);
    CHECK(none->expires_at == now + 900s);
  }
  SUBCASE("nbf") {
    CHECK(with({{"nbf", to_unix_seconds(now) + 30}}) == "ok");
    CHECK(with({{"nbf", to_unix_seconds(now) + 31}}) == "credential.invalid");
  }
  SUBCASE("aud") {
    CHECK(with({{"aud", json::Array{"mail", "news"}}}) == "ok");
    CHECK(with({{"aud", json::Array{"mail"}}}) == "credential.invalid");
    CHECK(with({{"aud", "chat2"}}) == "credential.invalid");
    CHECK(with({{"aud", nullptr}}) == "credential.invalid");
    CHECK(with({{"aud", 7}}) == "auth.unavailable");
    AnswerPolicy any = policy();
    any.audience.clear();
    CHECK(verdict_on(active(now, {{"aud", nullptr}}), any, now) == "ok");
  }
  SUBCASE("iss") {
    CHECK(with({{"iss", "https://other.example.com"}}) == "ok");
    AnswerPolicy one = policy();
    one.issuer = "https://id.example.com";
    CHECK(verdict_on(active(now, {{"iss", "https://id.example.com"}}), one, now) == "ok");
    CHECK(verdict_on(active(now, {{"iss", "https://id.example.com/"}}), one, now) == "credential.invalid");
    CHECK(verdict_on(active(now), one, now) == "credential.invalid");
    CHECK(read_answer(json::dump(active(now)), policy(), now)->issuer == "https://id.example.com/introspect");
  }
  SUBCASE("client_id") {
    AnswerPolicy one = policy();
    one.clients = {"web"};
    CHECK(verdict_on(active(now), one, now) == "ok");
    CHECK(verdict_on(active(now, {{"client_id", "mobile"}}), one, now) == "credential.invalid");
    CHECK(verdict_on(active(now, {{"client_id", nullptr}}), one, now) == "credential.invalid");
  }
  SUBCASE("token_type") {
    CHECK(with({{"token_type", "bearer"}}) == "ok");
    CHECK(with({{"token_type", nullptr}}) == "ok");
    CHECK(with({{"token_type", "DPoP"}}) == "credential.invalid");
  }
  SUBCASE("cnf: a token that is bound to a key is no bearer token") {
    CHECK(with({{"cnf", json::Object{{"x5t#S256", "bwcK0esc3ACC3DB2Y5_lESsXE8o9ltc05O89jdN-dg2"}}}}) ==
          "credential.invalid");
    CHECK(with({{"cnf", json::Object{}}}) == "credential.invalid");
  }
  SUBCASE("sub: a client is no user") {
    CHECK(with({{"sub", nullptr}}) == "credential.invalid");
    AnswerPolicy by_client = policy();
    by_client.claims.subject = "client_id";
    const auto read = read_answer(json::dump(active(now, {{"sub", nullptr}})), by_client, now);
    REQUIRE(read.ok());
    CHECK(read->subject == "web");
  }
  SUBCASE("texts that would cut a header") {
    CHECK(with({{"sub", "alice\r\nX-Admin: 1"}}) == "auth.unavailable");
    CHECK(with({{"scope", "a\nb"}}) == "auth.unavailable");
    CHECK(with({{"roles", json::Array{"\x7f"}}}) == "auth.unavailable");
  }
  SUBCASE("claims elsewhere") {
    AnswerPolicy other = policy();
    other.claims = {"username", "org", "/ext/session", "permissions", "/realm/roles"};
    const auto read = read_answer(json::dump(active(now, {{"username", "al"},
                                                          {"org", "acme"},
                                                          {"ext", json::Object{{"session", "s"}}},
                                                          {"permissions", json::Array{"p"}},
                                                          {"realm", json::Object{{"roles", json::Array{"r"}}}}})),
                                  other, now);
    REQUIRE(read.ok());
    CHECK(read->subject == "al");
    CHECK(read->tenant == "acme");
    CHECK(read->session_id == "s");
    CHECK(read->scopes == std::vector<std::string>{"p"});
    CHECK(read->roles == std::vector<std::string>{"r"});
  }
}

TEST_CASE("introspection answer: the examples of RFC 7662") {
  AnswerPolicy open;
  open.token_types = {"", "Bearer"};
  const std::string example =
      R"({"active": true, "client_id": "l238j323ds-23ij4", "username": "jdoe", "scope": "read write dolphin",
          "sub": "Z5O3upPC88QrAjx00dis", "aud": "https://protected.example.net/resource",
          "iss": "https://server.example.com/", "exp": 1419356238, "iat": 1419350238, "extension_field": "twenty-seven"})";
  const auto then = read_answer(example, open, from_unix_seconds(1419350300));
  REQUIRE(then.ok());
  CHECK(then->subject == "Z5O3upPC88QrAjx00dis");
  CHECK(then->scopes == std::vector<std::string>{"read", "write", "dolphin"});
  const auto now = read_answer(example, open, from_unix_seconds(1419356238));
  REQUIRE(!now.ok());
  CHECK(now.error().reason == Reason::credential_expired);
  CHECK(!read_answer(R"({"active": false})", open, from_unix_seconds(1419350300)).ok());
}

TEST_CASE("introspection: an answer is believed for the time that is set, and no longer than exp") {
  Setting setting;
  CHECK(setting.judge() == "accept");
  setting.pass(29s);
  CHECK(setting.judge() == "accept");
  CHECK(setting.server.requests() == 1);
  setting.pass(1s);
  CHECK(setting.judge() == "accept");
  CHECK(setting.server.requests() == 2);

  setting.decide(active(setting.clock.wall(), {{"exp", to_unix_seconds(setting.clock.wall()) + 10}}));
  setting.pass(30s);
  setting.decide(active(setting.clock.wall(), {{"exp", to_unix_seconds(setting.clock.wall()) + 10}}));
  CHECK(setting.judge() == "accept");
  setting.pass(10s);
  CHECK(setting.judge() == "credential.expired");
  CHECK(setting.server.requests() == 4);
}

TEST_CASE("introspection: a refusal is believed for a short time") {
  Setting setting;
  CHECK(setting.judge("bad") == "credential.invalid");
  CHECK(setting.judge("bad") == "credential.invalid");
  CHECK(setting.server.requests() == 1);
  setting.decide(active(setting.clock.wall()));
  setting.pass(5s - 1ms);
  CHECK(setting.judge("bad") == "credential.invalid");
  setting.pass(1ms);
  CHECK(setting.judge("bad") == "accept");
}

TEST_CASE("introspection: nothing is believed where nothing may be") {
  Setting setting([](IntrospectionConfig& config) { config.cache = 0ms; });
  CHECK(setting.judge() == "accept");
  CHECK(setting.judge() == "accept");
  CHECK(setting.server.requests() == 2);
}

TEST_CASE("introspection: who asks the same at the same time shares the answer") {
  Setting setting;
  setting.server.hold();
  std::vector<testing::Pending<Verdict>> pending;
  for (int i = 0; i < 20; ++i)
    pending.push_back(setting.scene.start(*setting.authenticator, with_bearer(i % 2 == 0 ? "good" : "good2")));
  setting.turn_until([&] { return setting.server.requests() == 2; });
  for (int turns = 0; turns < 10; ++turns) setting.scene.loop.turn(1ms);
  setting.server.release();
  for (auto& one : pending) CHECK(name_of(one.wait()) == "accept");
  CHECK(setting.server.requests() == 2);
}

TEST_CASE("introspection: the answer comes though the one who asked first has left") {
  Setting setting([](IntrospectionConfig& config) { config.timeout = 30s; });
  setting.server.hold();
  auto first = setting.scene.start(*setting.authenticator, with_bearer("good"));
  setting.turn_until([&] { return setting.server.requests() == 1; });
  setting.pass(5s);
  auto second = setting.scene.start(*setting.authenticator, with_bearer("good"));
  setting.pass(5s);
  CHECK(name_of(first.wait()) == "auth.timeout");
  CHECK(!second.done());
  setting.server.release();
  CHECK(name_of(second.wait()) == "accept");
  CHECK(setting.server.requests() == 1);
}

TEST_CASE("introspection: a server that gives no answer lets nobody in, and is not believed to have said no") {
  Setting setting;
  const auto with = [&](Reply reply) {
    setting.server.decide([reply](const Asked&) { return reply; });
    return setting.judge();
  };
  CHECK(with({R"({"active":true})", 500}) == "auth.unavailable");
  CHECK(with({R"({"active":true})", 401}) == "auth.unavailable");
  CHECK(with({R"({"active":true,"sub":"a","aud":"chat"})", 302, "Location: /elsewhere\r\n"}) == "auth.unavailable");
  CHECK(with({"<html>", 200}) == "auth.unavailable");
  CHECK(with({R"({"active":true,"sub":"a","aud":"chat","x":")" + std::string(70'000, 'x') + "\"}"}) ==
        "auth.unavailable");
  CHECK(setting.server.requests() == 5);
  CHECK(with({json::dump(active(setting.clock.wall()))}) == "accept");
}

TEST_CASE("introspection: a server that is silent is given up in time") {
  Setting setting;
  setting.server.hold();
  auto pending = setting.scene.start(*setting.authenticator, with_bearer("good"));
  setting.turn_until([&] { return setting.server.requests() == 1; });
  CHECK(!pending.done());
  setting.pass(2s);
  CHECK(name_of(pending.wait()) == "auth.unavailable");
}

TEST_CASE("introspection: a server that keeps failing is left alone, tried again, and trusted again") {
  Setting setting([](IntrospectionConfig& config) { config.breaker = {2, 1s, 10s}; });
  setting.server.decide([](const Asked&) -> Reply { return {"", 503}; });
  CHECK(setting.judge() == "auth.unavailable");
  CHECK(setting.judge() == "auth.unavailable");
  CHECK(setting.judge() == "auth.unavailable");
  CHECK(setting.server.requests() == 2);
  setting.pass(1s);
  setting.server.decide(knows_good(setting.clock));
  CHECK(setting.judge() == "accept");
  CHECK(setting.judge("good2") == "accept");
  CHECK(setting.server.requests() == 4);
}

TEST_CASE("introspection: so many questions at a time and no more") {
  Setting setting([](IntrospectionConfig& config) {
    config.requests = 3;
    config.timeout = 8s;
  });
  setting.server.hold();
  std::vector<testing::Pending<Verdict>> pending;
  for (int i = 0; i < 10; ++i)
    pending.push_back(setting.scene.start(*setting.authenticator, with_bearer("good" + std::to_string(i))));
  setting.turn_until([&] { return setting.server.requests() == 3; });
  for (int turns = 0; turns < 10; ++turns) setting.scene.loop.turn(1ms);
  CHECK(setting.server.requests() == 3);
  setting.server.release();
  for (auto& one : pending) CHECK(name_of(one.wait()) == "accept");
  CHECK(setting.server.requests() == 10);
}

struct Present {
  explicit Present(Setting& its_setting) : setting(its_setting) {}
  Identity enter(std::string_view token = "good") {
    const Verdict verdict = setting.scene.judge(*setting.authenticator, with_bearer(token));
    REQUIRE(verdict.identity());
    return *verdict.identity();
  }
  std::vector<Verdict> ask(std::vector<Identity> present) {
    return setting.scene.recheck(*setting.authenticator, std::move(present));
  }
  Setting& setting;
};

TEST_CASE("introspection: asking again believes nothing that is remembered, and is remembered") {
  Setting setting;
  Present present(setting);
  const Identity alice = present.enter();
  CHECK(name_of(present.ask({alice}).front()) == "accept");
  CHECK(setting.server.requests() == 2);
  setting.decide({{"active", false}});
  CHECK(name_of(present.ask({alice}).front()) == "credential.revoked");
  CHECK(setting.server.requests() == 3);
  // The handshake that follows learns of it.
  CHECK(setting.judge() == "credential.invalid");
  CHECK(setting.server.requests() == 3);
}

TEST_CASE("introspection: asking again about many") {
  Setting setting;
  Present present(setting);
  const Identity alice = present.enter();
  const Identity bob = present.enter("good2");
  setting.server.decide([now = setting.clock.wall()](const Asked& asked) -> Reply {
    if (asked.body.starts_with("token=good2")) return {"", 404};
    return {json::dump(active(now, {{"exp", to_unix_seconds(now) + 7200}, {"scope", "c"}}))};
  });
  const auto verdicts = present.ask({alice, bob, alice, alice});
  REQUIRE(verdicts.size() == 4);
  REQUIRE(verdicts[0].identity());
  CHECK((*verdicts[0].identity())->expires_at == setting.clock.wall() + 2h);
  CHECK((*verdicts[0].identity())->scopes == std::vector<std::string>{"c"});
  CHECK(name_of(verdicts[1]) == "auth.unavailable");
  CHECK(name_of(verdicts[3]) == "accept");
  CHECK(setting.server.requests() == 4);  // one for each token, however many came with it
  CHECK(present.ask({}).empty());
}

TEST_CASE("introspection: asking again when the time is over") {
  Setting setting;
  Present present(setting);
  const Identity alice = present.enter();
  setting.decide(active(setting.clock.wall(), {{"exp", to_unix_seconds(setting.clock.wall()) - 1}}));
  CHECK(name_of(present.ask({alice}).front()) == "credential.expired");
}

TEST_CASE("introspection: the form of a token tells whose it is") {
  Setting setting;
  const std::string jwt = "eyJhbGciOiJFUzI1NiJ9.e30.AAAA";
  const auto judge = [&](TokenForms forms, std::string_view token) {
    const auto one = make_authenticator(setting.config, config::empty_environment(), forms).value();
    return std::string(name_of(setting.scene.judge(*one, with_bearer(token))));
  };
  CHECK(judge(TokenForms::any, jwt) == "credential.invalid");
  CHECK(judge(TokenForms::other_than_json_web, jwt) == "not_mine");
  CHECK(judge(TokenForms::other_than_json_web, "mF_9.B5f-4.1JqM") == "credential.invalid");
  CHECK(judge(TokenForms::any, "spt_x") == "not_mine");
  CHECK(judge(TokenForms::other_than_json_web, "spt_x") == "not_mine");
}

TEST_CASE("introspection: no detail holds a token or a secret") {
  Setting setting;
  for (const Reply& reply : {Reply{R"({"active":false})"}, Reply{"{", 200}, Reply{"", 500}, Reply{"", 401}}) {
    setting.server.decide([reply](const Asked&) { return reply; });
    setting.pass(1min);
    const Verdict verdict = setting.scene.judge(*setting.authenticator, with_bearer("good-and-long-token"));
    REQUIRE(verdict.error());
    CHECK(verdict.error()->detail.find("good-and-long-token") == std::string::npos);
    CHECK(verdict.error()->detail.find("secret") == std::string::npos);
  }
}

std::shared_ptr<const Opinion> opinion(bool good, Instant asked_at) {
  auto made = std::make_shared<Opinion>();
  if (good) made->proven = std::make_shared<const Proven>();
  made->asked_at = asked_at;
  return made;
}

TEST_CASE("opinions: bounded, and the bad drive no good one out") {
  Opinions opinions(100);
  const Instant now{1h};
  const auto good = crypto::sha256(bytes_of("good"));
  opinions.put(good, opinion(true, now), now + 1h);
  for (int i = 0; i < 10'000; ++i)
    opinions.put(crypto::sha256(bytes_of(std::to_string(i))), opinion(false, now), now + 1h);
  CHECK(opinions.size() <= 101);
  CHECK(opinions.find(good, now));
  CHECK(!opinions.find(good, now + 1h));
  CHECK(!opinions.find(good, now));  // forgotten by now

  // Good ones drive each other out, those that are asked for last.
  opinions.put(good, opinion(true, now), now + 1h);
  for (int i = 0; i < 1'000; ++i) {
    opinions.put(crypto::sha256(bytes_of("g" + std::to_string(i))), opinion(true, now), now + 1h);
    CHECK(opinions.find(good, now));
  }
  CHECK(opinions.size() <= 201);
  CHECK(Opinions(0).size() == 0);
}

TEST_CASE("opinions: what was asked later counts, in whatever order it comes") {
  Opinions opinions(100);
  const Instant now{1h};
  const auto token = crypto::sha256(bytes_of("token"));
  opinions.put(token, opinion(false, now + 2s), now + 1h);
  opinions.put(token, opinion(true, now + 1s), now + 1h);
  REQUIRE(opinions.find(token, now));
  CHECK(!opinions.find(token, now)->proven);
  opinions.put(token, opinion(true, now + 3s), now + 1h);
  CHECK(opinions.find(token, now)->proven);
}

TEST_CASE("introspection: configuration") {
  const auto read = [](std::string_view text) { return config::read(introspection_schema(), text, "test.yaml", {}); };
  const std::string base =
      "url: https://id.example.com/introspect\nclient: { id: gateway, secret: env:SECRET }\naudience: [chat]\n";
  CHECK(read(base).ok());
  CHECK(read(base).config.cache == 30s);
  CHECK(read(base + "from: [cookie:token]\n").ok());
  CHECK(!read(base + "from: []\n").ok());
  CHECK(read(base + "cache: 0s\nnegative_cache: 0s\ncached_tokens: 0\n").ok());
  CHECK(!read(base + "cache: 2h\n").ok());
  CHECK(!read(base + "token_types: []\n").ok());
  CHECK(!read("client: { id: gateway, secret: env:SECRET }\naudience: [chat]\n").ok());
  CHECK(!read("url: https://id.example.com/introspect\naudience: [chat]\n").ok());
  const auto at = [&](std::string_view url, std::string_view more = "") {
    return read("url: " + std::string(url) + "\nclient: { id: gateway, secret: env:SECRET }\naudience: [chat]\n" +
                std::string(more));
  };
  CHECK(at("http://127.0.0.1:9/x").ok());
  CHECK(at("http://localhost/x").ok());
  CHECK(!at("http://id.example.com/x").ok());
  CHECK(!at("https://user:pass@id.example.com/x").ok());
  CHECK(!at("ftp://id.example.com/x").ok());
  const auto plain = at("http://id.example.com/x", "dangerous_plaintext_introspection: true\n");
  CHECK(plain.ok());
  CHECK(plain.dangers.size() == 1);

  const std::string open = "url: https://id.example.com/introspect\nclient: { id: g, secret: env:SECRET }\n";
  CHECK(!read(open).ok());
  CHECK(read(open + "clients: [web]\n").ok());
  CHECK(read(open + "dangerous_any_audience: true\n").ok());

  const auto client = [&](std::string_view text) {
    return read("url: https://id.example.com/introspect\naudience: [chat]\nclient: " + std::string(text) + "\n").ok();
  };
  CHECK(client("{ id: g, method: client_secret_post, secret: env:SECRET }"));
  CHECK(client("{ method: bearer, secret: env:SECRET }"));
  CHECK(client("{ id: g, method: private_key_jwt, key_file: k }"));
  CHECK(client("{ id: g, method: private_key_jwt, key_file: k, assertion_audience: x }"));
  CHECK(!client("{ secret: env:SECRET }"));
  CHECK(!client("{ id: g }"));
  CHECK(!client("{ id: g, method: private_key_jwt }"));
  CHECK(!client("{ id: g, method: private_key_jwt, key_file: k, secret: env:SECRET }"));
  CHECK(!client("{ id: g, secret: env:SECRET, key_file: k }"));
  CHECK(!client("{ id: g, method: tls, secret: env:SECRET }"));
  CHECK(introspection_plug().name == "introspection");
}

}  // namespace
}  // namespace sallyport::auth
