#include "sallyport/auth/session/session.h"

#include <algorithm>

#include "sallyport/auth/authenticator_contract.h"
#include "sallyport/auth/session/authjs.h"
#include "sallyport/auth/session/django.h"
#include "sallyport/auth/session/flask.h"
#include "sallyport/auth/session/testing.h"
#include "sallyport/auth/session/users.h"
#include "sallyport/base/encoding.h"
#include "sallyport/crypto/cipher.h"
#include "sallyport/crypto/digest.h"
#include "sallyport/crypto/hmac.h"

namespace sallyport::auth {
namespace {

using namespace std::chrono_literals;
using auth::testing::AuthenticatorContract;
using auth::testing::Handshake;
using auth::testing::name_of;
using auth::testing::Scene;
using session::testing::FakeSource;

const WallTime start = from_unix_seconds(1'800'000'000);
const std::string id = "yV0zLSuYeQrEVPlJLqA1CzullZfCZtKF";

Handshake with_cookie(std::string_view name, std::string_view value) {
  return {"Cookie: other=1; " + std::string(name) + "=" + std::string(value) + "\r\n", "/ws",
          http::OriginProof::allowed, std::nullopt};
}

std::string sign_express(std::string_view sid, std::string_view secret) {
  std::string mac = base64_encode(crypto::hmac_sha256(bytes_of(secret), bytes_of(sid)));
  mac.pop_back();
  std::string text = "s%3A" + std::string(sid) + ".";
  for (const char c : mac) text += c == '+' ? "%2B" : c == '/' ? "%2F" : std::string(1, c);
  return text;
}

StoredSession express_session(std::string_view rest, std::optional<WallTime> expires_at = start + 1h) {
  StoredSession stored;
  stored.data = R"({"cookie":{"originalMaxAge":null,"expires":null})" + std::string(rest) + "}";
  stored.expires_at = expires_at;
  return stored;
}

struct Shop {
  std::shared_ptr<FakeSource> source = std::make_shared<FakeSource>();
  std::shared_ptr<const Authenticator> authenticator;

  explicit Shop(std::string identity = "user.id") {
    SessionAuthenticator::Parts parts;
    parts.framework = Framework::express;
    parts.cookie = "connect.sid";
    SessionConfig config;
    config.store = RedisSessions{};
    std::vector<Secret> secrets;
    secrets.emplace_back("new");
    secrets.emplace_back("old");
    parts.format = session::make_format(config, secrets).value();
    parts.mapping.subject = {session::DataPath::parse(identity).value()};
    parts.mapping.roles = session::DataPath::parse("user.roles").value();
    parts.mapping.claims = {"plan"};
    parts.source = source;
    parts.max_age = 24h;
    authenticator = std::make_shared<SessionAuthenticator>(std::move(parts));
    source->sessions[id] = express_session(R"(,"user":{"id":42,"roles":["admin"]},"plan":"pro")");
  }
  Handshake good() const { return with_cookie("connect.sid", sign_express(id, "new")); }
};

TEST_CASE("session: the contract") {
  FakeClock clock;
  const Shop shop;
  shop.source->sessions["anonymous"] = express_session("");
  shop.source->sessions["ended"] = express_session(R"(,"user":{"id":1})", start);
  AuthenticatorContract contract;
  contract.authenticator = shop.authenticator;
  contract.good = shop.good();
  Handshake without_origin = shop.good();
  without_origin.origin = http::OriginProof::absent;
  contract.bad = {with_cookie("connect.sid", sign_express("anonymous", "new")),
                  with_cookie("connect.sid", sign_express("ended", "new")),
                  with_cookie("connect.sid", sign_express("unknown", "new")),
                  with_cookie("connect.sid", sign_express(id, "wrong")),
                  with_cookie("connect.sid", id),
                  with_cookie("connect.sid", ""),
                  without_origin};
  contract.present = [](std::string_view garbage) {
    std::string value(garbage);
    std::erase_if(value, [](char c) { return c == ';' || c == ',' || c == ' ' || c == '\t' || c == '"' || c == '\\'; });
    return with_cookie("connect.sid", "s:" + value);
  };
  check_authenticator_contract(contract, clock);
}

TEST_CASE("session: the cookie and the store become the identity") {
  FakeClock clock;
  Scene scene(clock);
  const Shop shop;
  const Handshake good = shop.good();
  const Verdict verdict = scene.judge(*shop.authenticator, good);
  REQUIRE(verdict.identity());
  const Proven& proven = **verdict.identity();
  CHECK(proven.mechanism == "session");
  CHECK(proven.subject == "42");
  CHECK(proven.roles == std::vector<std::string>{"admin"});
  CHECK(json::dump(proven.claims) == R"({"plan":"pro"})");
  CHECK(proven.expires_at == start + 1h);
  CHECK(proven.session_id == hex_encode(crypto::sha256(bytes_of(id))));
  CHECK(proven.watch_key == proven.session_id);
  CHECK(proven.token_hash == hex_encode(crypto::sha256(bytes_of(sign_express(id, "new")))));
  CHECK(shop.source->asked == std::vector<std::vector<std::string>>{{id}});
  CHECK(name_of(scene.judge(*shop.authenticator, with_cookie("connect.sid", sign_express(id, "old")))) == "accept");
}

TEST_CASE("session: each reason and its neighbour") {
  FakeClock clock;
  Scene scene(clock);
  const Shop shop;
  const auto judged = [&](const Handshake& handshake) {
    return std::string(name_of(scene.judge(*shop.authenticator, handshake)));
  };
  const auto with_data = [&](std::string_view rest) {
    shop.source->sessions[id] = express_session(rest);
    return judged(shop.good());
  };

  SUBCASE("origin.missing") {
    Handshake handshake = shop.good();
    CHECK(judged(handshake) == "accept");
    handshake.origin = http::OriginProof::absent;
    CHECK(judged(handshake) == "origin.missing");
    CHECK(shop.source->asked.size() == 1);  // nobody was asked in its favour
  }
  SUBCASE("credential.ambiguous for the cookie twice") {
    Handshake handshake = shop.good();
    handshake.fields += handshake.fields;
    CHECK(judged(handshake) == "credential.ambiguous");
  }
  SUBCASE("credential.invalid when nobody is logged in") {
    CHECK(with_data(R"(,"user":{"id":"alice"})") == "accept");
    for (const char* nobody : {"", R"(,"user":null)", R"(,"user":{})", R"(,"user":{"id":null})", R"(,"user":{"id":""})",
                               R"(,"user":{"id":0})", R"(,"user":{"id":false})", R"(,"user":"alice")"}) {
      CAPTURE(nobody);
      CHECK(with_data(nobody) == "credential.invalid");
    }
  }
  SUBCASE("credential.invalid when what is there cannot be an identity") {
    for (const char* wrong : {R"(,"user":{"id":true})", R"(,"user":{"id":1.5})", R"(,"user":{"id":{"id":1}})",
                              R"(,"user":{"id":["a"]})", R"(,"user":{"id":"a\nb"})", R"(,"user":{"id":" a"})",
                              R"(,"user":{"id":1,"roles":{"a":1}})", R"(,"user":{"id":1,"roles":[true]})"}) {
      CAPTURE(wrong);
      CHECK(with_data(wrong) == "credential.invalid");
    }
  }
  SUBCASE("credential.expired from the very moment on") {
    clock.advance(1h - 1ms);
    CHECK(judged(shop.good()) == "accept");
    clock.advance(1ms);
    CHECK(judged(shop.good()) == "credential.expired");
  }
  SUBCASE("credential.expired when the session says so before the store does") {
    StoredSession stored;
    stored.data = R"({"cookie":{"expires":"2027-01-15T08:10:00.000Z"},"user":{"id":1}})";
    stored.expires_at = start + 1h;
    shop.source->sessions[id] = stored;
    const Verdict verdict = scene.judge(*shop.authenticator, shop.good());
    REQUIRE(verdict.identity());
    CHECK((*verdict.identity())->expires_at == start + 10min);
    clock.advance(10min);
    CHECK(judged(shop.good()) == "credential.expired");
  }
  SUBCASE("a session whose end nobody states has one all the same") {
    shop.source->sessions[id] = express_session(R"(,"user":{"id":1})", std::nullopt);
    const Verdict verdict = scene.judge(*shop.authenticator, shop.good());
    REQUIRE(verdict.identity());
    CHECK((*verdict.identity())->expires_at == start + 24h);
  }
  SUBCASE("store.unavailable") {
    shop.source->way = FakeSource::Way::down;
    CHECK(judged(shop.good()) == "store.unavailable");
    CHECK(judged(with_cookie("connect.sid", sign_express(id, "wrong"))) == "credential.invalid");
  }
  SUBCASE("auth.timeout") {
    shop.source->way = FakeSource::Way::silent;
    auto pending = scene.start(*shop.authenticator, shop.good());
    for (int turns = 0; turns < 5; ++turns) scene.loop.turn(Duration::zero());
    CHECK(!pending.done());
    clock.advance(Scene::patience);
    CHECK(name_of(pending.wait()) == "auth.timeout");
  }
  SUBCASE("not_mine without the cookie, and in band") {
    CHECK(judged(with_cookie("another", sign_express(id, "new"))) == "not_mine");
    CHECK(judged(auth::testing::with_in_band(sign_express(id, "new"))) == "not_mine");
  }
}

TEST_CASE("session: no detail holds the session's id") {
  FakeClock clock;
  Scene scene(clock);
  const Shop shop;
  shop.source->sessions.clear();
  for (const std::string& cookie : {sign_express(id, "new"), sign_express(id, "wrong"), id}) {
    const Verdict verdict = scene.judge(*shop.authenticator, with_cookie("connect.sid", cookie));
    REQUIRE(verdict.error());
    CHECK(verdict.error()->detail.find(id) == std::string::npos);
  }
}

TEST_CASE("session: asked again, the store decides") {
  FakeClock clock;
  Scene scene(clock);
  const Shop shop;
  shop.source->sessions["second"] = express_session(R"(,"user":{"id":"bob"})");
  const Identity first = *scene.judge(*shop.authenticator, shop.good()).identity();
  const Identity second =
      *scene.judge(*shop.authenticator, with_cookie("connect.sid", sign_express("second", "new"))).identity();
  const auto again = [&] {
    std::vector<std::string> names;
    for (const Verdict& verdict : scene.recheck(*shop.authenticator, {first, second}))
      names.emplace_back(name_of(verdict));
    return names;
  };
  shop.source->asked.clear();
  CHECK(again() == std::vector<std::string>{"accept", "accept"});
  // One question for all of them.
  CHECK(shop.source->asked == std::vector<std::vector<std::string>>{{id, "second"}});

  SUBCASE("gone") {
    shop.source->sessions.erase(id);
    CHECK(again() == std::vector<std::string>{"credential.revoked", "accept"});
  }
  SUBCASE("logged out, the session kept") {
    shop.source->sessions[id] = express_session("");
    CHECK(again() == std::vector<std::string>{"credential.revoked", "accept"});
  }
  SUBCASE("somebody else") {
    shop.source->sessions[id] = express_session(R"(,"user":{"id":"bob"})");
    CHECK(again() == std::vector<std::string>{"credential.other_subject", "accept"});
  }
  SUBCASE("prolonged, with other roles") {
    shop.source->sessions[id] = express_session(R"(,"user":{"id":42,"roles":["user"]})", start + 2h);
    const auto verdicts = scene.recheck(*shop.authenticator, {first});
    REQUIRE(verdicts.front().identity());
    const Proven& proven = **verdicts.front().identity();
    CHECK(proven.expires_at == start + 2h);
    CHECK(proven.roles == std::vector<std::string>{"user"});
    CHECK(proven.token_hash == first->token_hash);
    CHECK(proven.watch_key == first->watch_key);
  }
  SUBCASE("over") {
    clock.advance(1h);
    CHECK(again() == std::vector<std::string>{"credential.expired", "credential.expired"});
  }
  SUBCASE("not known now") {
    shop.source->way = FakeSource::Way::down;
    CHECK(again() == std::vector<std::string>{"store.unavailable", "store.unavailable"});
  }
}

TEST_CASE("session: the watch tells hashes, never ids") {
  FakeClock clock;
  Scene scene(clock);
  const Shop shop;
  std::vector<std::string> told;
  const auto watch = shop.authenticator->watch(scene.loop, [&](std::string_view key) { told.emplace_back(key); });
  REQUIRE(watch);
  shop.source->changed(id);
  shop.source->changed("");
  CHECK(told == std::vector<std::string>{hex_encode(crypto::sha256(bytes_of(id))), ""});
}

std::shared_ptr<const Authenticator> in_cookie(Framework framework, std::string cookie, std::string secret,
                                               std::string identity = {}) {
  SessionConfig config;
  config.framework = framework;
  config.cookie = std::move(cookie);
  config.identity = std::move(identity);
  config.secret = {config::SecretSource::Kind::environment, "SECRET"};
  const auto environment = [secret = std::move(secret)](std::string_view) { return std::optional(secret); };
  return make_authenticator(config, environment, {}).value();
}

std::string flask_cookie(std::string_view payload, WallTime at) {
  std::string seconds;
  for (int shift = 24; shift >= 0; shift -= 8) seconds.push_back(static_cast<char>(to_unix_seconds(at) >> shift));
  const std::string text = base64url_encode(bytes_of(payload)) + "." + base64url_encode(bytes_of(seconds));
  const Secret key = session::make_flask_key(Secret("dev"));
  return text + "." + base64url_encode(crypto::hmac_sha1(key.bytes(), bytes_of(text)));
}

TEST_CASE("session: a signed cookie is as old as it says") {
  FakeClock clock;
  Scene scene(clock);
  const auto flask = in_cookie(Framework::flask, "session", "dev");
  const auto judged = [&](WallTime at, std::string_view payload = R"({"_user_id":"7"})") {
    return scene.judge(*flask, with_cookie("session", flask_cookie(payload, at)));
  };
  const Verdict fresh = judged(start - 10s);
  REQUIRE(fresh.identity());
  CHECK((*fresh.identity())->subject == "7");
  CHECK((*fresh.identity())->issued_at == start - 10s);
  CHECK((*fresh.identity())->expires_at == start - 10s + 31 * 24h);
  CHECK((*fresh.identity())->session_id.empty());
  CHECK((*fresh.identity())->watch_key.empty());
  CHECK(name_of(judged(start - 31 * 24h + 1s)) == "accept");
  CHECK(name_of(judged(start - 31 * 24h)) == "credential.expired");
  CHECK(name_of(judged(start + 60s)) == "accept");
  CHECK(name_of(judged(start + 61s)) == "credential.invalid");
  CHECK(name_of(judged(start, R"({"user_id":"7"})")) == "credential.invalid");
  CHECK(name_of(judged(start, R"({"_user_id":{" b":"AAA="}})")) == "credential.invalid");
  // Nobody can be asked about it again.
  const auto again = scene.recheck(*flask, {*fresh.identity()});
  CHECK(name_of(again.front()) == "accept");
  CHECK(flask->watch(scene.loop, [](std::string_view) {}) == nullptr);
}

std::string authjs_cookie(std::string_view claims, const std::string& name) {
  const auto keys = session::make_authjs_keys(Secret("auth"), name);
  const std::string header = base64url_encode(bytes_of(R"({"alg":"dir","enc":"A256GCM"})"));
  const std::string nonce(12, 'n');
  const auto sealed =
      crypto::seal_aes_gcm(keys.authjs_gcm.bytes(), bytes_of(nonce), bytes_of(header), bytes_of(claims));
  return header + ".." + base64url_encode(bytes_of(nonce)) + "." + base64url_encode(bytes_of(sealed.text)) + "." +
         base64url_encode(bytes_of(sealed.tag));
}

TEST_CASE("session: the cookie of Auth.js may come in pieces") {
  FakeClock clock;
  Scene scene(clock);
  const std::string name = "authjs.session-token";
  const auto authjs = in_cookie(Framework::authjs, name, "auth");
  const auto judged = [&](std::string cookies) {
    return std::string(name_of(scene.judge(
        *authjs, {"Cookie: " + std::move(cookies) + "\r\n", "/ws", http::OriginProof::allowed, std::nullopt})));
  };
  const std::string good = authjs_cookie(R"({"sub":"7","jti":"one","iat":1800000000,"exp":1800000060})", name);
  CHECK(judged(name + "=" + good) == "accept");
  const std::string first = name + ".0=" + good.substr(0, 30);
  const std::string second = name + ".1=" + good.substr(30);
  CHECK(judged(first + "; " + second) == "accept");
  CHECK(judged(second + "; " + first) == "accept");
  CHECK(judged(first) == "credential.invalid");
  CHECK(judged(second) == "not_mine");
  CHECK(judged(name + "=" + good + "; " + first) == "credential.ambiguous");
  CHECK(judged(name + "=" + authjs_cookie(R"({"sub":"7"})", name)) == "credential.invalid");
  CHECK(judged(name + "=" + authjs_cookie(R"({"sub":"7","exp":1800000000})", name)) == "credential.expired");
  CHECK(judged(name + "=" + authjs_cookie(R"({"sub":"7","exp":"soon"})", name)) == "credential.invalid");
  CHECK(judged(name + "=" + authjs_cookie(R"({"sub":"7","exp":1800000100,"nbf":1800000090})", name)) ==
        "credential.invalid");
  http::Strip strip;
  authjs->add_to(strip);
  CHECK(std::ranges::find(strip.cookies, name + ".1") != strip.cookies.end());
}

TEST_CASE("session: a changed password in the session ends it") {
  FakeClock clock;
  Scene scene(clock);
  const auto source = std::make_shared<FakeSource>();
  SessionAuthenticator::Parts parts;
  parts.framework = Framework::django;
  parts.cookie = "sessionid";
  SessionConfig config;
  config.framework = Framework::django;
  config.store = RedisSessions{};
  parts.format = session::make_format(config, {}).value();
  parts.mapping.subject = {session::DataPath::parse("_auth_user_id").value()};
  parts.source = source;
  parts.max_age = 24h;
  const SessionAuthenticator django(std::move(parts));
  const std::string sid = "ki8uujk2xbfowjv47m82krimijshgcl6";
  source->sessions[sid].data = R"({"_auth_user_id":"1","_auth_user_hash":"a"})";
  const Identity present = *scene.judge(django, with_cookie("sessionid", sid)).identity();
  CHECK(name_of(scene.recheck(django, {present}).front()) == "accept");
  source->sessions[sid].data = R"({"_auth_user_id":"1","_auth_user_hash":"b"})";
  CHECK(name_of(scene.recheck(django, {present}).front()) == "credential.revoked");
}

TEST_CASE("session: the table of users has the last word") {
  FakeClock clock;
  Scene scene(clock);
  const auto users = std::make_shared<FakeSource>();
  SessionAuthenticator::Parts parts;
  parts.framework = Framework::django;
  parts.cookie = "sessionid";
  SessionConfig config;
  config.framework = Framework::django;
  std::vector<Secret> secrets;
  secrets.emplace_back("new");
  secrets.emplace_back("old");
  parts.format = session::make_format(config, secrets).value();
  parts.secrets = std::move(secrets);
  parts.mapping.subject = {session::DataPath::parse("_auth_user_id").value()};
  parts.users = users;
  parts.max_age = 24h;
  const SessionAuthenticator django(std::move(parts));
  const auto hash = [](std::string_view password, std::string_view secret) {
    const std::string material =
        "django.contrib.auth.models.AbstractBaseUser.get_session_auth_hash" + std::string(secret);
    return hex_encode(crypto::hmac_sha256(crypto::sha256(bytes_of(material)), bytes_of(password)));
  };
  const auto cookie = [](const std::string& mark) {
    const std::string payload =
        R"({"_auth_user_id":"7")" + (mark.empty() ? "" : R"(,"_auth_user_hash":")" + mark + "\"") + "}";
    const std::string text = base64url_encode(bytes_of(payload)) + ":1xV4vj";
    const auto key = session::make_django_key(Secret("new"), session::django_cookie_salt);
    return with_cookie("sessionid", text + ":" + base64url_encode(bytes_of(key.sign(bytes_of(text)))));
  };
  clock.step_wall(from_unix_seconds(1'795'343'780) - start);
  StoredSession user;
  user.data = "pbkdf2_sha256$1$salt$hash";
  user.fields = {{"is_active", "1"}};
  users->sessions["7"] = user;
  const Handshake good = cookie(hash(user.data, "new"));
  const auto judged = [&](const Handshake& handshake) { return std::string(name_of(scene.judge(django, handshake))); };
  CHECK(judged(good) == "accept");
  CHECK(judged(cookie(hash(user.data, "old"))) == "accept");
  CHECK(judged(cookie(hash(user.data, "other"))) == "credential.revoked");
  CHECK(judged(cookie(hash("another", "new"))) == "credential.revoked");
  CHECK(judged(cookie("")) == "credential.revoked");

  const Identity present = *scene.judge(django, good).identity();
  const auto again = [&] { return std::string(name_of(scene.recheck(django, {present}).front())); };
  CHECK(again() == "accept");
  SUBCASE("another password") {
    users->sessions["7"].data = "pbkdf2_sha256$1$salt$other";
    CHECK(again() == "credential.revoked");
    CHECK(judged(good) == "credential.revoked");
  }
  SUBCASE("not active") {
    for (const char* no : {"0", "f", "false", ""}) {
      users->sessions["7"].fields = {{"is_active", no}};
      CHECK(again() == "credential.revoked");
    }
    users->sessions["7"].fields = {{"is_active", "t"}};
    CHECK(again() == "accept");
  }
  SUBCASE("deleted") {
    users->sessions.clear();
    CHECK(again() == "credential.revoked");
    CHECK(judged(good) == "credential.revoked");
  }
  SUBCASE("not known now") {
    users->way = FakeSource::Way::down;
    CHECK(again() == "store.unavailable");
    CHECK(judged(good) == "store.unavailable");
  }
}

TEST_CASE("session: Devise keeps the salt of the password") {
  const std::string password = "$2a$12$abcdefghijklmnopqrstuuvwxyz0123456789abcdefghijklmnopq";
  StoredSession user;
  user.data = password;
  const auto judged = [&](std::string mark) {
    const auto fits = session::check_user(Framework::rails, Secret(std::move(mark)), user, {});
    return fits ? std::string("fits") : std::string(row(fits.error().reason).name);
  };
  CHECK(judged(password.substr(0, 29)) == "fits");
  CHECK(judged(password.substr(0, 28)) == "credential.revoked");
  CHECK(judged(password) == "credential.revoked");
  CHECK(judged("") == "credential.revoked");
  user.data = "";
  CHECK(judged("") == "credential.revoked");
  session::SessionData data;
  data.values = json::parse(R"({"warden.user.user.key":[[1],"$2a$12$salt"]})").value();
  CHECK(session::find_password_mark(Framework::rails, data).reveal() == "$2a$12$salt");
}

TEST_CASE("session: configuration") {
  const auto read = [](std::string_view text) {
    config::Context context;
    context.folder = "/etc";
    return config::read(session_schema(), text, "test.yaml", context);
  };
  const auto problem = [&](std::string_view text) {
    const auto reading = read(text);
    return reading.problems.empty() ? std::string() : reading.problems.text();
  };
  CHECK(problem("{ framework: flask, secret_file: s }").empty());
  CHECK(problem("{ framework: django, secret: env:S, older_secrets: [ { secret_file: o } ], max_age: 1d }").empty());
  CHECK(problem("{ framework: rails, cookie: _app_session, secret_file: s, identity: /warden.user.user.key/0/0 }")
            .empty());
  CHECK(problem("{ framework: authjs, secret_file: s, roles: user.roles }").empty());
  CHECK(problem("{ framework: express, secret_file: s, store: { redis: { url: redis://127.0.0.1 } } }").empty());
  CHECK(
      problem("{ framework: php, serializer: php_binary, store: { files: { path: /var/lib/php/sessions } } }").empty());
  CHECK(problem("{ framework: django, store: { redis: { url: redis://127.0.0.1 } } }").empty());

  CHECK(problem("{ framework: django, secret_file: s, users: { sqlite: { path: site.sqlite3 } } }").empty());

  const std::pair<const char*, const char*> bad[] = {
      {"{ framework: django, secret_file: s, users: { files: { path: p } } }", "database"},
      {"{ framework: flask, secret_file: s, users: { sqlite: { path: p } } }", "no mark"},
      {"{ framework: django, store: { redis: { url: redis://127.0.0.1 } }, users: { sqlite: { path: p } } }",
       "SECRET_KEY"},
      {"{ secret_file: s }", "framework"},
      {"{ framework: cobol, secret_file: s }", "cobol"},
      {"{ framework: flask }", "secret_file"},
      {"{ framework: express, secret_file: s }", "store"},
      {"{ framework: express, store: { redis: { url: redis://127.0.0.1 } } }", "secret_file"},
      {"{ framework: php, secret_file: s, store: { files: { path: p } } }", "secret"},
      {"{ framework: rails, secret_file: s }", "cookie"},
      {"{ framework: rails, cookie: 'a b', secret_file: s }", "cookie"},
      {"{ framework: flask, secret_file: s, serializer: php }", "PHP"},
      {"{ framework: flask, secret_file: s, identity: user..id }", "empty name"},
      {"{ framework: php, older_secrets: [ { secret_file: o } ], store: { files: { path: p } } }", "older_secrets"},
      {"{ framework: flask, secret_file: s, max_age: 0s }", "max_age"},
  };
  for (const auto& [text, word] : bad) {
    CAPTURE(text);
    CHECK(problem(text).find(word) != std::string::npos);
  }
  CHECK(session_plug().name == "session");

  SessionConfig laravel;
  laravel.framework = Framework::laravel;
  laravel.secret = {config::SecretSource::Kind::environment, "S"};
  const auto made = [&](std::string secret) {
    const auto environment = [&](std::string_view) { return std::optional(secret); };
    SessionConfig with_store = laravel;
    FileSessions files;
    files.path.path = "/nowhere";
    with_store.store = files;
    return make_authenticator(with_store, environment, {}).ok();
  };
  CHECK(made("base64:" + base64_encode(bytes_of(std::string(32, 'k')))));
  CHECK(!made("base64:" + base64_encode(bytes_of(std::string(31, 'k')))));
  CHECK(!made("short"));
}

}  // namespace
}  // namespace sallyport::auth
