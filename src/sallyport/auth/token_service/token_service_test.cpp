#include "sallyport/auth/token_service/token_service.h"

#include <doctest/doctest.h>

#include <cstdlib>

#include "sallyport/auth/jwt/jwt.h"
#include "sallyport/auth/testing.h"
#include "sallyport/base/encoding.h"
#include "sallyport/crypto/digest.h"
#include "sallyport/jose/jwt.h"

namespace sallyport::auth {
namespace {

using namespace std::chrono_literals;
using testing::name_of;
using testing::Scene;
using testing::with_bearer;

const WallTime start = from_unix_seconds(1'800'000'000);
const std::string secret(32, 's');

std::string keys_text(const std::vector<jose::SigningKey>& keys) {
  std::string text = "{\"keys\":[";
  for (const jose::SigningKey& key : keys) {
    if (&key != keys.data()) text += ",";
    text += key.to_private_jwk().reveal();
  }
  return text + "]}";
}

std::vector<jose::SigningKey> keys(std::size_t count, crypto::Algorithm algorithm = crypto::Algorithm::ES256) {
  std::vector<jose::SigningKey> made;
  for (std::size_t i = 0; i < count; ++i) made.push_back(jose::SigningKey::generate(algorithm));
  return made;
}

TokenServiceConfig config() {
  TokenServiceConfig config;
  config.issuer = "https://chat.example";
  config.audience = {"chat"};
  config.clients = {{"app", {config::SecretSource::Kind::environment, "SECRET"}, {"chat.read", "chat.write"}, true}};
  return config;
}

config::Environment environment() {
  return [](std::string_view name) -> std::optional<std::string> {
    return name == "SECRET"  ? std::optional(secret)
           : name == "SHORT" ? std::optional<std::string>("short")
                             : std::nullopt;
  };
}

std::shared_ptr<const TokenService> make(TokenServiceConfig with = config(),
                                         const std::string& text = keys_text(keys(1))) {
  return TokenService::make(with, text, environment(), start).value();
}

TokenFamily family_of_alice() {
  TokenFamily family;
  family.client_id = "app";
  family.proven.mechanism = "token_service";
  family.proven.subject = "alice";
  family.proven.tenant = "acme";
  family.proven.scopes = {"chat.read", "chat.write"};
  family.proven.roles = {"member"};
  family.proven.amr = {"pwd"};
  family.proven.authenticated_at = start;
  family.proven.claims = json::Object{{"device", "d-1"}, {"sub", "mallory"}, {"exp", std::int64_t{1}}};
  return family;
}

struct Play {
  explicit Play(std::shared_ptr<const TokenService> its = make()) : service(std::move(its)) {}

  Here here() { return {scene.loop, *scene.store, scene.http, scene.random}; }
  IssuedTokens begin(TokenFamily family = family_of_alice()) {
    Here at = here();
    return scene.run(service->begin(std::move(family), at, scene.deadline())).value();
  }
  TokenService::Refreshed refresh(
      std::string_view token, std::string client = "app", std::string scope = {},
      TokenService::Check check = [](const Proven&) { return Result<void>(); }) {
    Here at = here();
    return scene.run(service->refresh(std::string(token), std::move(client), std::move(scope), std::move(check), at,
                                      scene.deadline()));
  }
  void end(const std::string& family) {
    Here at = here();
    REQUIRE(scene.run(service->end(family, at, scene.deadline())).ok());
  }
  static std::string why(const TokenService::Refreshed& refreshed) {
    return std::string(refreshed.refused ? row(refreshed.refused->error.reason).name : "tokens");
  }
  Verdict judge(const std::string& token) {
    const std::vector<std::shared_ptr<const Issuer>> issuers{service->issuer()};
    return scene.judge(*make_authenticator(JwtConfig{"token_service"}, issuers).value(), with_bearer(token));
  }

  FakeClock clock;
  Scene scene{clock};
  std::shared_ptr<const TokenService> service;
};

TEST_CASE("token service: its access tokens are taken by the jwt mechanism, and say what was established") {
  Play play;
  const IssuedTokens tokens = play.begin();
  CHECK(tokens.expires_in == 600s);
  REQUIRE(tokens.refresh_token);
  CHECK(tokens.refresh_token->reveal().starts_with("spr_"));
  const Verdict verdict = play.judge(tokens.access_token);
  REQUIRE(name_of(verdict) == "accept");
  const Proven& proven = **verdict.identity();
  CHECK(proven.subject == "alice");
  CHECK(proven.issuer == "https://chat.example");
  CHECK(proven.session_id == tokens.session_id);
  CHECK(proven.token_id == tokens.access_id);
  CHECK(proven.tenant == "acme");
  CHECK(proven.scopes == std::vector<std::string>{"chat.read", "chat.write"});
  CHECK(proven.roles == std::vector<std::string>{"member"});
  CHECK(proven.amr == std::vector<std::string>{"pwd"});
  CHECK(proven.authenticated_at == start);
  CHECK(proven.expires_at == start + 600s);
  play.clock.advance(600s);
  CHECK(name_of(play.judge(tokens.access_token)) == "credential.expired");
}

TEST_CASE("token service: claims of the application are carried, those of the service are its own") {
  Play play;
  const auto keys = play.service->issuer()->keys->snapshot();
  const auto verdict = jose::verify_jwt(play.begin().access_token, *keys, play.service->issuer()->policy, start);
  REQUIRE(verdict.claims.ok());
  CHECK(*verdict.claims->payload.find_string("device") == "d-1");
  CHECK(verdict.claims->subject == "alice");
  CHECK(verdict.claims->client_id == "app");
}

TEST_CASE("token service: a refresh token is good once, and what replaces it goes on") {
  Play play;
  std::string token(play.begin().refresh_token->reveal());
  for (int i = 0; i < 3; ++i) {
    play.clock.advance(500s);
    auto refreshed = play.refresh(token);
    REQUIRE(Play::why(refreshed) == "tokens");
    CHECK(name_of(play.judge(refreshed.tokens->access_token)) == "accept");
    CHECK(refreshed.tokens->refresh_token->reveal() != token);
    token = refreshed.tokens->refresh_token->reveal();
  }
}

TEST_CASE("token service: a second use tells of the family, whoever of the two was first") {
  Play play;
  const std::string first(play.begin().refresh_token->reveal());
  const auto refreshed = play.refresh(first);
  REQUIRE(Play::why(refreshed) == "tokens");
  const std::string second(refreshed.tokens->refresh_token->reveal());
  const auto reused = play.refresh(first);
  REQUIRE(Play::why(reused) == "credential.replayed");
  REQUIRE(reused.refused->reused);
  CHECK(reused.refused->reused->proven.session_id == refreshed.tokens->session_id);
  CHECK(reused.refused->reused->proven.subject == "alice");
  play.end(reused.refused->reused->id);
  CHECK(Play::why(play.refresh(second)) == "credential.revoked");
  const auto again = play.refresh(first);
  CHECK(Play::why(again) == "credential.revoked");
  CHECK_FALSE(again.refused->reused);
}

TEST_CASE(
    "token service: of two who come with one refresh token at the same time one gets tokens, and the family is told "
    "of") {
  Play play;
  const std::string token(play.begin().refresh_token->reveal());
  Here here = play.here();
  const TokenService::Check check = [](const Proven&) { return Result<void>(); };
  testing::Pending<TokenService::Refreshed> one(
      play.scene.loop, play.service->refresh(token, "app", "", check, here, play.scene.deadline()));
  testing::Pending<TokenService::Refreshed> other(
      play.scene.loop, play.service->refresh(token, "app", "", check, here, play.scene.deadline()));
  const auto first = one.wait();
  const auto second = other.wait();
  CHECK(first.tokens.has_value() != second.tokens.has_value());
  const auto& refused = first.refused ? *first.refused : *second.refused;
  CHECK(refused.error.reason == Reason::credential_replayed);
  CHECK(refused.reused);
}

TEST_CASE("token service: each reason to refuse a refresh token, and its neighbour") {
  TokenServiceConfig with = config();
  with.refresh_idle = 3600s;
  with.refresh_lifetime = 7200s;
  Play play(make(with));
  const std::string token(play.begin().refresh_token->reveal());

  SUBCASE("credential.invalid: unknown") {
    std::string other = token;
    other.back() = other.back() == 'A' ? 'E' : 'A';
    CHECK(Play::why(play.refresh(other)) == "credential.invalid");
    CHECK(Play::why(play.refresh("")) == "credential.invalid");
    CHECK(Play::why(play.refresh(token.substr(1))) == "credential.invalid");
  }
  SUBCASE("credential.invalid: another client's; it is not used up by that") {
    CHECK(Play::why(play.refresh(token, "")) == "credential.invalid");
    CHECK(Play::why(play.refresh(token, "other")) == "credential.invalid");
  }
  SUBCASE("request.invalid: a scope that the login has not; it is not used up by that") {
    CHECK(Play::why(play.refresh(token, "app", "chat.read admin")) == "request.invalid");
    const auto narrower = play.refresh(token, "app", "chat.read");
    REQUIRE(narrower.tokens);
    CHECK(narrower.tokens->scopes == std::vector<std::string>{"chat.read"});
    CHECK(play.refresh(narrower.tokens->refresh_token->reveal()).tokens->scopes.size() == 2);
    return;
  }
  SUBCASE("credential.expired: idle for too long") {
    play.clock.advance(3600s - 1ms);
    const std::string next(play.refresh(token).tokens->refresh_token->reveal());
    play.clock.advance(3600s);
    CHECK(Play::why(play.refresh(next)) == "credential.expired");
    return;
  }
  SUBCASE("credential.invalid: the login is over, however often it was refreshed") {
    play.clock.advance(3000s);
    std::string next(play.refresh(token).tokens->refresh_token->reveal());
    play.clock.advance(3000s);
    next = play.refresh(next).tokens->refresh_token->reveal();
    play.clock.advance(1100s);
    const auto last = play.refresh(next);
    CHECK(last.tokens->expires_in == 100s);
    play.clock.advance(100s);
    CHECK(Play::why(play.refresh(last.tokens->refresh_token->reveal())) == "credential.invalid");
    return;
  }
  SUBCASE("store.unavailable") {
    auto store = std::move(play.scene.store);
    play.scene.store = std::make_unique<testing::BrokenStore>(play.scene.loop, testing::BrokenStore::Way::down);
    CHECK(Play::why(play.refresh(token)) == "store.unavailable");
    play.scene.store = std::move(store);
  }
  CHECK(Play::why(play.refresh(token)) == "tokens");
}

TEST_CASE("token service: what stands for a credential ends with it, and is asked about") {
  Play play;
  TokenFamily family = family_of_alice();
  family.client_id.clear();
  family.credential = family.proven;
  family.credential->expires_at = start + 900s;
  family.proven.session_id = "session-1";
  const IssuedTokens tokens = play.begin(family);
  CHECK(tokens.session_id == "session-1");
  const std::string token(tokens.refresh_token->reveal());
  const auto revoked = [](const Proven& credential) -> Result<void> {
    CHECK(credential.subject == "alice");
    return Error{Reason::credential_revoked, "it is"};
  };
  CHECK(Play::why(play.refresh(token, "", "", revoked)) == "credential.revoked");
  play.clock.advance(500s);
  const auto refreshed = play.refresh(token, "");
  REQUIRE(refreshed.tokens);
  CHECK(refreshed.tokens->expires_in == 400s);

  SUBCASE("no refresh token when there is nothing to refresh") {
    family.credential->expires_at = play.clock.wall() + 300s;
    const IssuedTokens brief = play.begin(family);
    CHECK(brief.expires_in == 300s);
    CHECK_FALSE(brief.refresh_token);
  }
  SUBCASE("no refresh token for a login that is not refreshed") {
    family.credential->expires_at = play.clock.wall() + 3600s;
    CHECK(play.begin(family).refresh_token);
    family.refreshed = false;
    const IssuedTokens once = play.begin(family);
    CHECK(once.expires_in == 600s);
    CHECK_FALSE(once.refresh_token);
  }
  SUBCASE("no token for what is over") {
    family.credential->expires_at = play.clock.wall() + 500ms;
    Here here = play.here();
    const auto none = play.scene.run(play.service->begin(family, here, play.scene.deadline()));
    CHECK(none.error().reason == Reason::credential_expired);
  }
}

TEST_CASE("token service: an application for itself") {
  Play play;
  Here here = play.here();
  const TokenClient client = play.service->verify_client("app", secret).value();
  const IssuedTokens tokens = play.service->issue_to(client, {"chat.read"}, here);
  CHECK_FALSE(tokens.refresh_token);
  const Verdict verdict = play.judge(tokens.access_token);
  REQUIRE(verdict.identity());
  CHECK((*verdict.identity())->subject == "app");
  CHECK((*verdict.identity())->scopes == std::vector<std::string>{"chat.read"});
}

TEST_CASE("token service: clients") {
  const auto service = make();
  CHECK(service->verify_client("app", secret).ok());
  for (const auto& [id, given] :
       {std::pair<std::string, std::string>{"app", secret + "x"}, {"app", ""}, {"", secret}, {"other", secret}}) {
    const auto refused = service->verify_client(id, given);
    REQUIRE_FALSE(refused.ok());
    CHECK(refused.error().reason == Reason::credential_invalid);
    CHECK(refused.error().detail.find(secret) == std::string::npos);
  }
}

TEST_CASE("token service: scopes") {
  const std::vector<std::string> may{"a", "b"};
  CHECK(TokenService::check_scopes("", may).value() == may);
  CHECK(TokenService::check_scopes("b", may).value() == std::vector<std::string>{"b"});
  CHECK(TokenService::check_scopes(" b  a b ", may).value() == std::vector<std::string>{"b", "a"});
  CHECK_FALSE(TokenService::check_scopes("a c", may).ok());
  CHECK(TokenService::check_scopes("", {}).value().empty());
}

TEST_CASE("token service: keys are rotated with an overlap") {
  auto old_keys = keys(1);
  const std::string old_text = keys_text(old_keys);
  Play before(make(config(), old_text));
  const IssuedTokens tokens = before.begin();
  auto both = keys(1, crypto::Algorithm::EdDSA);
  both.push_back(std::move(old_keys[0]));
  Play after(make(config(), keys_text(both)));
  CHECK(name_of(after.judge(tokens.access_token)) == "accept");
  CHECK(name_of(after.judge(after.begin().access_token)) == "accept");
  CHECK(name_of(before.judge(after.begin().access_token)) == "credential.invalid");
  CHECK(after.service->jwks().find("\"d\"") == std::string::npos);
}

TEST_CASE("token service: what it cannot start with") {
  const auto refused = [](TokenServiceConfig with, const std::string& text) {
    const auto made = TokenService::make(with, text, environment(), start);
    REQUIRE_FALSE(made.ok());
    CHECK(made.error().reason == Reason::config_invalid);
  };
  refused(config(), "");
  refused(config(), "{\"keys\":[]}");
  refused(config(), "{\"keys\":[{\"kty\":\"oct\",\"k\":\"" + base64url_encode(bytes_of(secret)) +
                        "\",\"alg\":\"HS256\",\"kid\":\"x\"}]}");
  TokenServiceConfig brief = config();
  brief.clients[0].secret.where = "SHORT";
  refused(brief, keys_text(keys(1)));
  brief.clients[0].secret.where = "ABSENT";
  refused(brief, keys_text(keys(1)));
}

TEST_CASE("token service: configuration") {
  const auto read = [](std::string_view text) {
    return config::read(token_service_schema(), text, "test.yaml", {.folder = "/", .environment = environment()});
  };
  const std::string base = "issuer: https://chat.example\naudience: [chat]\nkeys_file: keys\n";
  CHECK(read(base + "routes: [login]").ok());
  CHECK(read(base + "clients: [{id: app, secret: env:SECRET}]").ok());
  CHECK(!read(base).ok());
  CHECK(!read(base + "clients: [{id: app}]").ok());
  CHECK(!read(base + "clients: [{id: 'a:b', secret: env:SECRET}]").ok());
  CHECK(!read(base + "clients: [{id: app, secret: env:SECRET, scopes: ['a b']}]").ok());
  CHECK(!read(base + "clients: [{id: app, secret: env:SECRET}, {id: app, secret: env:SECRET}]").ok());
  CHECK(!read(base + "routes: [login]\nlifetime: 1h").ok());
}

}  // namespace
}  // namespace sallyport::auth
