#include "sallyport/auth/callout/callout.h"

#include "sallyport/auth/authenticator_contract.h"
#include "sallyport/auth/jwt/testing.h"
#include "sallyport/auth/service_testing.h"
#include "sallyport/base/encoding.h"

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

const std::string allow_alice = R"({"allow":{"subject":"alice"}})";

Reply knows_good(const Asked& asked) {
  if (asked.has("Bearer good\"")) return {allow_alice};
  return {R"({"refuse":{"reason":"invalid","detail":"unknown"}})"};
}

struct Setting {
  explicit Setting(std::function<void(CalloutConfig&)> change = [](CalloutConfig&) {}) {
    config.url = server.url();
    config.credentials = {"header:Authorization", "cookie:sid", "query:key", "subprotocol"};
    change(config);
    authenticator = make_authenticator(config, "chat", config::empty_environment()).value();
  }
  ~Setting() { server.release(); }

  std::string judge(const Handshake& handshake) { return std::string(name_of(scene.judge(*authenticator, handshake))); }
  std::string judge(Reply reply) {
    server.decide([reply](const Asked&) { return reply; });
    return judge(with_bearer("good"));
  }
  // What the service was told last.
  json::Value told() const { return json::parse(server.asked().back().body).value(); }
  const json::Value& of_request(const json::Value& told, const char* name) const {
    const json::Value* request = told.find("request");
    REQUIRE(request);
    const json::Value* member = request->find(name);
    REQUIRE(member);
    return *member;
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
  DecidingServer server{knows_good};
  CalloutConfig config;
  Scene scene{clock};
  std::shared_ptr<const Authenticator> authenticator;
};

TEST_CASE("callout: the contract") {
  FakeClock clock;
  DecidingServer server(knows_good);
  CalloutConfig config;
  config.url = server.url();
  config.credentials = {"header:Authorization", "cookie:sid"};
  AuthenticatorContract contract;
  contract.authenticator = make_authenticator(config, "chat", config::empty_environment()).value();
  contract.good = with_bearer("good");
  contract.bad = {with_bearer("bad"), with_in_band("bad"), Handshake{"Cookie: sid=1\r\n"},
                  Handshake{"Authorization: Bearer good\r\nAuthorization: Bearer good\r\n"}};
  contract.answers = AuthenticatorContract::Answers::from_elsewhere;
  testing::check_authenticator_contract(contract, clock);
}

TEST_CASE("callout: what the service is told") {
  Setting setting([](CalloutConfig& config) { config.shows = {"header:User-Agent", "query:room"}; });
  Handshake handshake{
      "Authorization: Bearer good\r\nCookie: sid=s1; theme=dark\r\nUser-Agent: a\r\nUser-Agent: b\r\nX-Other: 1\r\n"
      "Origin: https://app.example.com\r\nSec-WebSocket-Protocol: chat.v1\r\n",
      "/ws?room=7&other=8"};
  handshake.origin = http::OriginProof::allowed;
  CHECK(setting.judge(handshake) == "accept");
  const Asked asked = setting.server.asked().back();
  CHECK(asked.head.starts_with("POST /decide HTTP/1.1\r\n"));
  CHECK(asked.has("Content-Type: application/json\r\n"));
  CHECK(!asked.has("X-Sallyport-Signature"));
  const json::Value told = setting.told();
  CHECK(*told.find("version")->integer() == 1);
  CHECK(*told.find_string("event") == "connect");
  CHECK(*told.find_string("route") == "chat");
  CHECK(told.find("peer")->find_string("address"));
  CHECK(!told.find("identity"));
  CHECK(*setting.of_request(told, "method").string() == "GET");
  CHECK(*setting.of_request(told, "scheme").string() == "https");
  CHECK(*setting.of_request(told, "host").string() == "gw.example.test");
  CHECK(*setting.of_request(told, "path").string() == "/ws");
  CHECK(*setting.of_request(told, "origin").string() == "https://app.example.com");
  CHECK(json::dump(setting.of_request(told, "headers")) == R"({"authorization":"Bearer good","user-agent":"a, b"})");
  CHECK(json::dump(setting.of_request(told, "cookies")) == R"({"sid":"s1"})");
  CHECK(json::dump(setting.of_request(told, "query")) == R"({"room":"7"})");
  CHECK(json::dump(setting.of_request(told, "subprotocols")) == R"(["chat.v1"])");
}

TEST_CASE("callout: a token as a subprotocol, or from inside the socket, is shown as an Authorization line") {
  Setting setting;
  CHECK(setting.judge(Handshake{"Sec-WebSocket-Protocol: bearer.good, chat.v1\r\n"}) == "accept");
  json::Value told = setting.told();
  CHECK(json::dump(setting.of_request(told, "headers")) == R"({"authorization":"Bearer good"})");
  CHECK(json::dump(setting.of_request(told, "subprotocols")) == R"(["chat.v1"])");
  CHECK(setting.judge(with_in_band("good")) == "accept");
  told = setting.told();
  CHECK(*told.find_string("event") == "refresh");
  CHECK(json::dump(setting.of_request(told, "headers")) == R"({"authorization":"Bearer good"})");
  CHECK(!told.find("request")->find("path"));
}

TEST_CASE("callout: credentials") {
  Setting setting;
  CHECK(setting.judge(Handshake{}) == "not_mine");
  CHECK(setting.judge(Handshake{"X-Other: 1\r\n"}) == "not_mine");
  CHECK(setting.server.requests() == 0);
  Handshake cookie{"Cookie: sid=1\r\n"};
  CHECK(setting.judge(cookie) == "origin.missing");
  CHECK(setting.server.requests() == 0);
  cookie.origin = http::OriginProof::allowed;
  CHECK(setting.judge(cookie) == "credential.invalid");
  CHECK(setting.server.requests() == 1);
  CHECK(setting.judge(Handshake{"", "/ws?key=k"}) == "credential.invalid");
  CHECK(setting.judge(Handshake{"", "/ws?key=k&key=k"}) == "credential.ambiguous");
  CHECK(setting.judge(Handshake{"", "/ws?key="}) == "credential.invalid");
  CHECK(setting.judge(Handshake{"Authorization: a\r\nAuthorization: a\r\n"}) == "credential.ambiguous");
  CHECK(setting.judge(Handshake{"Authorization: Bearer a\r\nSec-WebSocket-Protocol: bearer.a\r\n"}) ==
        "credential.ambiguous");
  CHECK(setting.judge(Handshake{"Authorization: \xc3\xa9\r\n"}) == "credential.invalid");
  CHECK(setting.judge(Handshake{"Authorization: " + std::string(8193, 'a') + "\r\n"}) == "credential.invalid");
  CHECK(setting.server.requests() == 2);
}

TEST_CASE("callout: asked about everybody") {
  Setting setting([](CalloutConfig& config) { config.ask = Ask::always; });
  CHECK(setting.judge(Handshake{}) == "credential.invalid");
  setting.server.decide([](const Asked&) -> Reply { return {allow_alice}; });
  CHECK(setting.judge(Handshake{}) == "accept");
  CHECK(setting.server.requests() == 2);
}

TEST_CASE("callout: the answer becomes the identity") {
  Setting setting;
  const std::int64_t now = to_unix_seconds(setting.clock.wall());
  setting.server.decide([now](const Asked&) -> Reply {
    return {R"({"allow":{"subject":"alice","issuer":"app","tenant":"acme","session":"s-1","id":"c-1","scopes":["a","b"],
                "roles":["member"],"amr":["pwd"],"acr":"gold","authenticated_at":)" +
            std::to_string(now - 9) + R"(,"issued_at":)" + std::to_string(now - 5) + R"(,"expires_at":)" +
            std::to_string(now + 60) + R"(,"claims":{"device":"d7"}}})"};
  });
  const Verdict verdict = setting.scene.judge(*setting.authenticator, with_bearer("good"));
  REQUIRE(verdict.identity());
  const Proven& proven = **verdict.identity();
  CHECK(proven.mechanism == "callout");
  CHECK(proven.subject == "alice");
  CHECK(proven.issuer == "app");
  CHECK(proven.tenant == "acme");
  CHECK(proven.session_id == "s-1");
  CHECK(proven.token_id == "c-1");
  CHECK(proven.token_hash == hex_encode(crypto::sha256(bytes_of("good"))));
  CHECK(proven.scopes == std::vector<std::string>{"a", "b"});
  CHECK(proven.roles == std::vector<std::string>{"member"});
  CHECK(proven.amr == std::vector<std::string>{"pwd"});
  CHECK(proven.acr == "gold");
  CHECK(proven.authenticated_at == setting.clock.wall() - 9s);
  CHECK(proven.issued_at == setting.clock.wall() - 5s);
  CHECK(proven.expires_at == setting.clock.wall() + 60s);
  CHECK(*proven.claims.find_string("device") == "d7");

  setting.server.decide([](const Asked&) -> Reply { return {allow_alice}; });
  const Verdict sparing = setting.scene.judge(*setting.authenticator, with_bearer("good"));
  REQUIRE(sparing.identity());
  CHECK((*sparing.identity())->issuer == setting.config.url);
  CHECK((*sparing.identity())->expires_at == setting.clock.wall() + 900s);
}

TEST_CASE("callout: each reason that an answer can give") {
  Setting setting;
  const std::string past = std::to_string(to_unix_seconds(setting.clock.wall()));
  const std::string next = std::to_string(to_unix_seconds(setting.clock.wall()) + 1);
  CHECK(setting.judge(Reply{allow_alice}) == "accept");
  CHECK(setting.judge(Reply{R"({"refuse":{}})"}) == "credential.invalid");
  CHECK(setting.judge(Reply{R"({"refuse":{"reason":"whatever"}})"}) == "credential.invalid");
  CHECK(setting.judge(Reply{R"({"refuse":{"reason":"expired"}})"}) == "credential.expired");
  CHECK(setting.judge(Reply{R"({"refuse":{"reason":"revoked"}})"}) == "credential.revoked");
  CHECK(setting.judge(Reply{R"({"refuse":{"reason":"forbidden"}})"}) == "identity.not_allowed");
  CHECK(setting.judge(Reply{"", 401}) == "credential.invalid");
  CHECK(setting.judge(Reply{"", 403}) == "identity.not_allowed");
  CHECK(setting.judge(Reply{R"({"allow":{"subject":"a","expires_at":)" + past + "}}"}) == "credential.expired");
  CHECK(setting.judge(Reply{R"({"allow":{"subject":"a","expires_at":)" + next + "}}"}) == "accept");
  for (const char* no_answer :
       {"", "ok", "true", "[]", "{}", R"({"allow":true})", R"({"allow":{}})", R"({"allow":{"subject":""}})",
        R"({"allow":{"subject":7}})", R"({"allow":{"subject":"a\nb"}})", R"({"allow":{"subject":"a"},"refuse":{}})",
        R"({"allow":{"subject":"a","roles":"x"}})", R"({"allow":{"subject":"a","scopes":7}})",
        R"({"allow":{"subject":"a","claims":[]}})", R"({"allow":{"subject":"a","expires_at":"soon"}})",
        R"({"allow":{"subject":"a"},"allow":{"subject":"b"}})"}) {
    CAPTURE(no_answer);
    CHECK(setting.judge(Reply{no_answer}) == "auth.unavailable");
  }
  for (const int status : {201, 204, 302, 400, 404, 429}) {
    CAPTURE(status);
    CHECK(setting.judge(Reply{allow_alice, status, "Location: /elsewhere\r\n"}) == "auth.unavailable");
  }
  const std::size_t before = setting.server.requests();
  CHECK(setting.judge(Reply{R"({"allow":{"subject":"a","x":")" + std::string(70'000, 'x') + "\"}}"}) ==
        "auth.unavailable");
  CHECK(setting.server.requests() == before + 1);
}

TEST_CASE("callout: a service that is down lets nobody in, is left alone, tried again and trusted again") {
  Setting setting([](CalloutConfig& config) { config.breaker = {2, 1s, 10s}; });
  CHECK(setting.judge(Reply{"", 500}) == "auth.unavailable");
  CHECK(setting.judge(Reply{"", 500}) == "auth.unavailable");
  CHECK(setting.judge(Reply{allow_alice}) == "auth.unavailable");
  CHECK(setting.server.requests() == 2);
  setting.pass(1s);
  CHECK(setting.judge(Reply{allow_alice}) == "accept");
  CHECK(setting.judge(Reply{allow_alice}) == "accept");
}

TEST_CASE("callout: a service that is silent is given up in time") {
  Setting setting;
  setting.server.hold();
  auto pending = setting.scene.start(*setting.authenticator, with_bearer("good"));
  setting.turn_until([&] { return setting.server.requests() == 1; });
  CHECK(!pending.done());
  setting.pass(2s);
  CHECK(name_of(pending.wait()) == "auth.unavailable");
}

TEST_CASE("callout: the question is signed") {
  const std::string secret = "0123456789abcdef0123456789abcdef";
  const TemporaryFile file(secret);
  Setting setting([&](CalloutConfig& config) { config.signing_key = {config::SecretSource::Kind::file, file.path()}; });
  CHECK(setting.judge(with_bearer("good")) == "accept");
  const Asked asked = setting.server.asked().back();
  const std::string time = std::to_string(to_unix_seconds(setting.clock.wall()));
  const auto mac = crypto::hmac_sha256(bytes_of(secret), bytes_of(time + "." + asked.body));
  CHECK(asked.has("X-Sallyport-Signature: t=" + time + ",v1=" + hex_encode(mac) + "\r\n"));
  const TemporaryFile weak("short");
  setting.config.signing_key.where = weak.path();
  CHECK(!make_authenticator(setting.config, "chat", config::empty_environment()).ok());
}

TEST_CASE("callout: asking again") {
  Setting setting([](CalloutConfig& config) { config.shows = {"query:room"}; });
  const Verdict verdict =
      setting.scene.judge(*setting.authenticator, Handshake{"Authorization: Bearer good\r\n", "/ws?room=7"});
  REQUIRE(verdict.identity());
  const Identity alice = *verdict.identity();
  const auto ask = [&](Reply reply) {
    setting.server.decide([reply](const Asked&) { return reply; });
    return setting.scene.recheck(*setting.authenticator, {alice});
  };
  const auto again = ask({R"({"allow":{"subject":"alice","roles":["new"]}})"});
  REQUIRE(again.front().identity());
  CHECK((*again.front().identity())->roles == std::vector<std::string>{"new"});
  CHECK((*again.front().identity())->token_hash == alice->token_hash);
  CHECK((*again.front().identity())->grounds == alice->grounds);
  const json::Value told = setting.told();
  CHECK(*told.find_string("event") == "recheck");
  CHECK(*told.find("identity")->find_string("subject") == "alice");
  CHECK(json::dump(setting.of_request(told, "query")) == R"({"room":"7"})");
  CHECK(json::dump(setting.of_request(told, "headers")) == R"({"authorization":"Bearer good"})");

  CHECK(name_of(ask({R"({"refuse":{}})"}).front()) == "credential.revoked");
  CHECK(name_of(ask({"", 403}).front()) == "credential.revoked");
  CHECK(name_of(ask({R"({"refuse":{"reason":"expired"}})"}).front()) == "credential.expired");
  CHECK(name_of(ask({"", 500}).front()) == "auth.unavailable");
  CHECK(name_of(ask({"no"}).front()) == "auth.unavailable");
  CHECK(setting.scene.recheck(*setting.authenticator, {alice, alice, alice}).size() == 3);
}

TEST_CASE("callout: in Hasura's words") {
  Setting setting([](CalloutConfig& config) {
    config.dialect = Dialect::hasura;
    config.shows = {"header:User-Agent"};
  });
  Handshake handshake{"Authorization: Bearer good\r\nCookie: sid=1\r\nUser-Agent: a\r\n"};
  handshake.origin = http::OriginProof::allowed;
  setting.server.decide([](const Asked&) -> Reply {
    return {R"({"X-Hasura-User-Id":"25","x-hasura-role":"user","X-Hasura-Org":"7","other":[1]})", 200,
            "Cache-Control: private, max-age=600\r\n"};
  });
  const Verdict verdict = setting.scene.judge(*setting.authenticator, handshake);
  CHECK(setting.server.asked().back().body ==
        R"({"headers":{"Authorization":"Bearer good","User-Agent":"a","Cookie":"sid=1"},"request":null})");
  REQUIRE(verdict.identity());
  const Proven& proven = **verdict.identity();
  CHECK(proven.subject == "25");
  CHECK(proven.roles == std::vector<std::string>{"user"});
  CHECK(*proven.claims.find_string("x-hasura-org") == "7");
  CHECK(!proven.claims.find("other"));
  CHECK(proven.expires_at == setting.clock.wall() + 600s);

  CHECK(setting.judge(Reply{"", 401}) == "credential.invalid");
  CHECK(setting.judge(Reply{R"({"X-Hasura-Role":"anonymous"})"}) == "credential.invalid");
  CHECK(setting.judge(Reply{R"({"X-Hasura-User-Id":25})"}) == "auth.unavailable");
  CHECK(setting.judge(Reply{R"({"X-Hasura-User-Id":"1","x-hasura-user-id":"2"})"}) == "auth.unavailable");
  CHECK(setting.judge(Reply{R"({"X-Hasura-User-Id":"1"})", 200, "Cache-Control: max-age=0\r\n"}) ==
        "credential.expired");
}

TEST_CASE("callout: in Centrifugo's words") {
  Setting setting([](CalloutConfig& config) {
    config.dialect = Dialect::centrifugo;
    config.shows = {"header:User-Agent"};
  });
  Handshake handshake{"Authorization: Bearer good\r\nCookie: sid=1\r\nUser-Agent: a\r\n"};
  handshake.origin = http::OriginProof::allowed;
  const std::string end = std::to_string(to_unix_seconds(setting.clock.wall()) + 60);
  setting.server.decide([end](const Asked&) -> Reply {
    return {R"({"result":{"user":"56","expire_at":)" + end + R"(,"info":{"name":"Al"}}})"};
  });
  const Verdict verdict = setting.scene.judge(*setting.authenticator, handshake);
  const Asked asked = setting.server.asked().back();
  CHECK(asked.has("Authorization: Bearer good\r\n"));
  CHECK(asked.has("Cookie: sid=1\r\n"));
  CHECK(asked.has("User-Agent: a\r\n"));
  CHECK(asked.body == R"({"client":"","transport":"websocket","protocol":"json","encoding":"json"})");
  REQUIRE(verdict.identity());
  CHECK((*verdict.identity())->subject == "56");
  CHECK((*verdict.identity())->expires_at == setting.clock.wall() + 60s);
  CHECK(*(*verdict.identity())->claims.find("info")->find_string("name") == "Al");

  CHECK(setting.judge(Reply{R"({"disconnect":{"code":4501,"reason":"unauthorized"}})"}) == "credential.invalid");
  CHECK(setting.judge(Reply{R"({"error":{"code":1000,"message":"no"}})"}) == "credential.invalid");
  CHECK(setting.judge(Reply{R"({"error":{"code":1},"result":{"user":"56"}})"}) == "credential.invalid");
  CHECK(setting.judge(Reply{R"({"result":{"user":""}})"}) == "credential.invalid");
  CHECK(setting.judge(Reply{R"({"result":{}})"}) == "credential.invalid");
  CHECK(setting.judge(Reply{R"({"result":{"user":56}})"}) == "auth.unavailable");
  CHECK(setting.judge(Reply{R"({})"}) == "auth.unavailable");
}

TEST_CASE("callout: what it takes from the backend") {
  const Setting setting;
  http::Strip strip;
  setting.authenticator->add_to(strip);
  CHECK(strip.headers == std::vector<std::string>{"Authorization"});
  CHECK(strip.cookies == std::vector<std::string>{"sid"});
  CHECK(strip.parameters == std::vector<std::string>{"key"});
  CHECK(strip.subprotocol_prefixes == std::vector<std::string>{"bearer."});
}

TEST_CASE("callout: no detail holds a credential") {
  Setting setting;
  for (const Reply& reply : {Reply{R"({"refuse":{}})"}, Reply{"{"}, Reply{"", 500}, Reply{"", 401}}) {
    setting.server.decide([reply](const Asked&) { return reply; });
    const Verdict verdict = setting.scene.judge(*setting.authenticator, with_bearer("good-and-long-token"));
    REQUIRE(verdict.error());
    CHECK(verdict.error()->detail.find("good-and-long-token") == std::string::npos);
  }
}

TEST_CASE("callout: configuration") {
  const auto read = [](std::string_view text) { return config::read(callout_schema(), text, "test.yaml", {}); };
  const std::string base = "url: https://app.example.com/authorize\n";
  CHECK(read(base).ok());
  CHECK(read(base).config.credentials == std::vector<std::string>{"header:Authorization"});
  CHECK(read(base + "credentials: [header:X-Key, cookie:sid, query:key, subprotocol]\n").ok());
  CHECK(read(base + "shows: [header:Origin, cookie:theme, query:room]\n").ok());
  CHECK(!read("credentials: [header:X-Key]\n").ok());
  CHECK(!read("url: http://app.example.com/authorize\n").ok());
  CHECK(read("url: http://app.example.com/authorize\ndangerous_plaintext_callout: true\n").dangers.size() == 1);
  CHECK(read("url: http://127.0.0.1:1/authorize\n").ok());
  for (const char* place : {"header", "header:", "header:a b", "header:Cookie", "header:Host", "header:Connection",
                            "header:Content-Type", "header:Content-Length", "header:Sec-WebSocket-Key", "cookie:a=b",
                            "query:", "query:a b", "subprotocol:x", "body", "\"\""}) {
    CAPTURE(place);
    CHECK(!read(base + "credentials: [" + place + "]\n").ok());
  }
  CHECK(!read(base + "credentials: [header:X-Key, header:x-key]\n").ok());
  CHECK(!read(base + "credentials: []\n").ok());
  CHECK(read(base + "credentials: []\nask: always\n").ok());
  CHECK(!read(base + "shows: [subprotocol]\n").ok());
  CHECK(!read(base + "dialect: klingon\n").ok());
  CHECK(!read(base + "timeout: 0s\n").ok());
  CHECK(!read(base + "lifetime: 25h\n").ok());
  CHECK(callout_plug().name == "callout");
}

}  // namespace
}  // namespace sallyport::auth
