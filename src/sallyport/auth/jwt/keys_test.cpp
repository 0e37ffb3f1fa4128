#include "sallyport/auth/jwt/keys.h"

#include <doctest/doctest.h>

#include "sallyport/auth/jwt/testing.h"
#include "sallyport/auth/testing.h"

namespace sallyport::auth {
namespace {

using namespace std::chrono_literals;
using testing::JwksServer;
using testing::Pending;
using testing::Scene;
using testing::ShiftedClock;
using testing::TemporaryFile;
using testing::TokenMaker;

// A control loop, a server, and keys fetched from it.
struct Fetching {
  explicit Fetching(std::string body = "") : server(std::move(body)), scene(clock), client(scene.loop) {}
  ~Fetching() { server.release(); }

  std::shared_ptr<UrlKeys> make(std::chrono::seconds refresh = 300s) {
    return std::make_shared<UrlKeys>(UrlKeysSettings{server.url(), "", refresh}, scene.loop);
  }
  template <class F>
  void turn_until(F done) {
    for (int turns = 0; !done(); ++turns) {
      SALLYPORT_CHECK(turns < 2000);
      scene.loop.turn(5ms);
    }
  }
  void turn_until_fetched(const UrlKeys& keys, std::uint64_t fetches) {
    turn_until([&] { return keys.status().fetches_ok + keys.status().fetches_failed >= fetches; });
  }
  void turn_some() {
    for (int turns = 0; turns < 10; ++turns) scene.loop.turn(1ms);
  }
  KeySource::Snapshot newer_than(UrlKeys& keys, KeySource::Snapshot seen) {
    return scene.run(keys.newer_than(std::move(seen), scene.loop, scene.deadline())).value();
  }

  ShiftedClock clock;
  JwksServer server;
  Scene scene;
  crypto::FakeRandom random;
  net::HttpClient client;
};

bool holds(const KeySource::Snapshot& set, const TokenMaker& maker) {
  return set && set->find(maker.key().kid(), jose::Algorithm::ES256).key != nullptr;
}

TEST_CASE("keys: of a file") {
  const TokenMaker maker;
  const FakeClock clock;
  SUBCASE("good, and readable by everybody since it is public") {
    TemporaryFile file(maker.jwks());
    file.open_to_everybody();
    const auto keys = make_file_keys(file.path(), {}, clock.wall()).value();
    CHECK(holds(keys->snapshot(), maker));
    CHECK(keys->status().keys == 1);
    CHECK(keys->status().loaded_at == clock.wall());
  }
  SUBCASE("never newer than itself") {
    const TemporaryFile file(maker.jwks());
    const auto keys = make_file_keys(file.path(), {}, clock.wall()).value();
    Scene scene(clock);
    CHECK(scene.run(keys->newer_than(keys->snapshot(), scene.loop, scene.deadline())).value() == keys->snapshot());
  }
  SUBCASE("secrets must not be readable by everybody") {
    TemporaryFile file(
        R"({"keys":[{"kty":"oct","kid":"a","alg":"HS256","k":"yKpR1y-bjWk0cS8dWbHWTHoSxGm3vYjQZC1DgKDwzxY"}]})");
    const jose::JwkRules rules{jose::KeyKinds::symmetric_only, jose::WeakSecrets::refused};
    CHECK(make_file_keys(file.path(), rules, clock.wall()).ok());
    CHECK(!make_file_keys(file.path(), {}, clock.wall()).ok());
    file.open_to_everybody();
    CHECK(!make_file_keys(file.path(), rules, clock.wall()).ok());
  }
  SUBCASE("config.invalid") {
    CHECK(make_file_keys("/nonexistent/jwks.json", {}, clock.wall()).error().reason == Reason::config_invalid);
    for (const char* text : {"", "{}", "{\"keys\":[]}", "{\"keys\":[{\"kty\":\"RSA\"}]}", "[]"}) {
      const TemporaryFile file(text);
      const auto keys = make_file_keys(file.path(), {}, clock.wall());
      REQUIRE(!keys.ok());
      CHECK(keys.error().detail.starts_with(file.path()));
    }
  }
}

TEST_CASE("keys: a secret") {
  const FakeClock clock;
  const std::string good = crypto::FakeRandom(5).bytes(32);
  const auto make = [&](const std::string& secret, std::vector<jose::Algorithm> algorithms) {
    return make_secret_keys(Secret(secret), algorithms, clock.wall());
  };
  CHECK(make(good, {jose::Algorithm::HS256}).value()->snapshot()->keys().size() == 1);
  CHECK(!make(good.substr(1), {jose::Algorithm::HS256}).ok());
  CHECK(!make(good, {jose::Algorithm::HS512}).ok());
  CHECK(!make(good, {jose::Algorithm::HS256, jose::Algorithm::HS512}).ok());
  CHECK(!make(good, {jose::Algorithm::ES256}).ok());
  CHECK(!make(good, {}).ok());
  CHECK(!make(std::string(64, 'a'), {jose::Algorithm::HS256}).ok());
  CHECK(!make("your-256-bit-secret-your-256-bit-secret", {jose::Algorithm::HS256}).ok());
  const auto two =
      make(crypto::FakeRandom(5).bytes(64), {jose::Algorithm::HS256, jose::Algorithm::HS512}).value()->snapshot();
  CHECK(two->find(std::nullopt, jose::Algorithm::HS256).key);
  CHECK(two->find(std::nullopt, jose::Algorithm::HS512).key);
  CHECK(!two->find(std::nullopt, jose::Algorithm::HS384).key);
}

TEST_CASE("keys: which URLs") {
  const auto check = [](std::string_view url) { return check_jwks_url(url, PlaintextJwks::loopback_only).ok(); };
  CHECK(check("https://id.example.com/jwks"));
  CHECK(check("http://127.0.0.1:8080/jwks"));
  CHECK(check("http://[::1]/jwks"));
  CHECK(check("http://localhost:9/jwks"));
  CHECK(!check("http://id.example.com/jwks"));
  CHECK(!check("http://10.0.0.1/jwks"));
  CHECK(!check("http://127.0.0.1.example.com/jwks"));
  CHECK(!check("http://localhost.example.com/jwks"));
  CHECK(!check("http://localhost@example.com/jwks"));
  CHECK(!check("file:///etc/passwd"));
  CHECK(!check("ftp://127.0.0.1/jwks"));
  CHECK(!check(""));
  CHECK(check_jwks_url("http://id.example.com/jwks", PlaintextJwks::dangerous_allowed).ok());
  CHECK(!check_jwks_url("file:///etc/passwd", PlaintextJwks::dangerous_allowed).ok());
}

TEST_CASE("keys of a URL: fetched at once and then every refresh") {
  const TokenMaker first;
  const TokenMaker second;
  Fetching fetching(first.jwks());
  const auto keys = fetching.make(100s);
  CHECK(!keys->snapshot());
  CHECK(keys->status().keys == 0);
  const KeyUpkeep upkeep(keys, fetching.client, fetching.random);
  fetching.turn_until_fetched(*keys, 1);
  CHECK(holds(keys->snapshot(), first));
  CHECK(keys->status().keys == 1);
  CHECK(keys->status().fetches_ok == 1);
  CHECK(keys->status().last_error.empty());

  // A tenth of jitter either way.
  fetching.server.answer(second.jwks());
  fetching.clock.advance(89s);
  fetching.turn_some();
  CHECK(fetching.server.requests() == 1);
  fetching.clock.advance(22s);
  fetching.turn_until_fetched(*keys, 2);
  CHECK(holds(keys->snapshot(), second));
  CHECK(!holds(keys->snapshot(), first));
}

TEST_CASE("keys of a URL: what was handed out stays as it is") {
  const TokenMaker first;
  Fetching fetching(first.jwks());
  const auto keys = fetching.make(10s);
  const KeyUpkeep upkeep(keys, fetching.client, fetching.random);
  fetching.turn_until_fetched(*keys, 1);
  const KeySource::Snapshot before = keys->snapshot();
  fetching.server.answer(TokenMaker().jwks());
  fetching.clock.advance(12s);
  fetching.turn_until_fetched(*keys, 2);
  CHECK(keys->snapshot() != before);
  CHECK(holds(before, first));
}

TEST_CASE("keys of a URL: a bad answer changes nothing and is reported") {
  const TokenMaker maker;
  Fetching fetching(maker.jwks());
  const auto keys = fetching.make(100s);
  const KeyUpkeep upkeep(keys, fetching.client, fetching.random);
  fetching.turn_until_fetched(*keys, 1);
  const KeySource::Snapshot before = keys->snapshot();
  const auto loaded_at = keys->status().loaded_at;

  SUBCASE("not JSON") { fetching.server.answer("<html>"); }
  SUBCASE("no keys") { fetching.server.answer("{\"keys\":[]}"); }
  SUBCASE("no usable key") { fetching.server.answer(R"({"keys":[{"kty":"RSA","n":"AQ","e":"AQAB"}]})"); }
  SUBCASE("nothing but a secret") {
    fetching.server.answer(R"({"keys":[{"kty":"oct","k":"yKpR1y-bjWk0cS8dWbHWTHoSxGm3vYjQZC1DgKDwzxY"}]})");
  }
  SUBCASE("another status, though the body is a key set") { fetching.server.answer(TokenMaker().jwks(), 500); }
  SUBCASE("a redirect, though it leads to a key set") { fetching.server.answer(fetching.server.url("/other"), 302); }
  SUBCASE("more than a mebibyte") { fetching.server.answer(std::string((1 << 20) + 1, ' ') + TokenMaker().jwks()); }

  fetching.clock.advance(111s);
  fetching.turn_until_fetched(*keys, 2);
  CHECK(keys->snapshot() == before);
  CHECK(keys->status().fetches_failed == 1);
  CHECK(!keys->status().last_error.empty());
  CHECK(keys->status().loaded_at == loaded_at);
  CHECK(fetching.server.requests() == 2);

  // Tried again soon, not only after a whole refresh.
  fetching.server.answer(maker.jwks());
  fetching.clock.advance(11s);
  fetching.turn_until_fetched(*keys, 3);
  CHECK(keys->status().fetches_ok == 2);
  CHECK(keys->status().last_error.empty());
  CHECK(keys->status().loaded_at > loaded_at);
}

TEST_CASE("keys of a URL: a source that is down from the start is tried soon, then ever more rarely") {
  Fetching fetching;
  fetching.server.answer("", 503);
  const auto keys = fetching.make();
  const KeyUpkeep upkeep(keys, fetching.client, fetching.random);
  fetching.turn_until_fetched(*keys, 1);
  CHECK(!keys->snapshot());
  std::uint64_t fetches = 1;
  for (const Duration wait : {1s, 2s, 4s, 8s, 10s, 10s}) {
    fetching.clock.advance(wait * 8 / 10);
    fetching.turn_some();
    CHECK(fetching.server.requests() == static_cast<int>(fetches));
    fetching.clock.advance(wait * 4 / 10);
    fetching.turn_until_fetched(*keys, ++fetches);
  }
  const TokenMaker maker;
  fetching.server.answer(maker.jwks());
  fetching.clock.advance(12s);
  fetching.turn_until_fetched(*keys, ++fetches);
  CHECK(holds(keys->snapshot(), maker));
}

TEST_CASE("keys of a URL: nobody listens") {
  Fetching fetching;
  std::string url;
  {
    const JwksServer gone;
    url = gone.url();
  }
  const auto keys = std::make_shared<UrlKeys>(UrlKeysSettings{url, "", 300s}, fetching.scene.loop);
  const KeyUpkeep upkeep(keys, fetching.client, fetching.random);
  fetching.turn_until_fetched(*keys, 1);
  CHECK(!keys->snapshot());
  CHECK(keys->status().last_error.find("127.0.0.1") != std::string::npos);
}

TEST_CASE("keys of a URL: an unknown key has them fetched, at most once in ten seconds") {
  const TokenMaker first;
  const TokenMaker second;
  Fetching fetching(first.jwks());
  const auto keys = fetching.make();
  const KeyUpkeep upkeep(keys, fetching.client, fetching.random);
  fetching.turn_until_fetched(*keys, 1);
  const KeySource::Snapshot before = keys->snapshot();
  fetching.server.answer(second.jwks());

  // Too soon after the first fetch.
  CHECK(fetching.newer_than(*keys, before) == before);
  CHECK(fetching.server.requests() == 1);

  fetching.clock.advance(10s);
  fetching.turn_some();
  CHECK(holds(fetching.newer_than(*keys, before), second));
  CHECK(fetching.server.requests() == 2);

  // Who still has the old set is given the new one without a fetch.
  CHECK(holds(fetching.newer_than(*keys, before), second));
  const KeySource::Snapshot now = keys->snapshot();
  for (int i = 0; i < 50; ++i) CHECK(fetching.newer_than(*keys, now) == now);
  CHECK(fetching.server.requests() == 2);

  // The limit holds for a source that fails, too.
  fetching.server.answer("", 500);
  fetching.clock.advance(10s);
  fetching.turn_some();
  for (int i = 0; i < 50; ++i) CHECK(fetching.newer_than(*keys, now) == now);
  CHECK(fetching.server.requests() == 3);
}

TEST_CASE("keys of a URL: those who wait share one fetch, from any loop") {
  const TokenMaker first;
  const TokenMaker second;
  Fetching fetching(first.jwks());
  const auto keys = fetching.make();
  const KeyUpkeep upkeep(keys, fetching.client, fetching.random);
  fetching.turn_until_fetched(*keys, 1);
  const KeySource::Snapshot before = keys->snapshot();
  fetching.server.answer(second.jwks());
  fetching.clock.advance(10s);
  fetching.server.hold();

  Scene other(fetching.clock);
  other.loop.turn(0ms);
  fetching.turn_some();
  std::vector<Pending<Result<KeySource::Snapshot>>> waiting;
  for (int i = 0; i < 5; ++i) {
    waiting.emplace_back(fetching.scene.loop, keys->newer_than(before, fetching.scene.loop, fetching.scene.deadline()));
    waiting.emplace_back(other.loop, keys->newer_than(before, other.loop, other.deadline()));
  }
  const auto turn_both = [&](auto done) {
    fetching.turn_until([&] {
      other.loop.turn(0ms);
      return done();
    });
  };
  turn_both([&] { return fetching.server.requests() == 2; });
  for (const auto& one : waiting) CHECK(!one.done());
  fetching.server.release();
  turn_both([&] { return std::all_of(waiting.begin(), waiting.end(), [](const auto& one) { return one.done(); }); });
  for (auto& one : waiting) CHECK(holds(one.wait().value(), second));
  CHECK(fetching.server.requests() == 2);
}

TEST_CASE("keys of a URL: the control loop on a thread of its own") {
  const SystemClock clock;
  const TokenMaker maker;
  JwksServer server(maker.jwks());
  server.hold();
  net::Loop control(clock);
  const auto keys = std::make_shared<UrlKeys>(UrlKeysSettings{server.url(), "", 300s}, control);
  std::thread thread([&] {
    crypto::FakeRandom random;
    net::HttpClient client(control);
    const KeyUpkeep upkeep(keys, client, random);
    control.run();
  });
  while (server.requests() == 0) std::this_thread::yield();

  Scene scene(clock);
  Pending<Result<KeySource::Snapshot>> waiting(scene.loop, keys->newer_than(nullptr, scene.loop, scene.deadline()));
  scene.loop.turn(1ms);
  CHECK(!waiting.done());
  server.release();
  CHECK(holds(waiting.wait().value(), maker));
  CHECK(holds(keys->snapshot(), maker));
  CHECK(keys->status().fetches_ok == 1);
  control.stop();
  thread.join();
}

TEST_CASE("keys of a URL: who waits goes at the deadline, and the fetch goes on") {
  const TokenMaker maker;
  Fetching fetching(maker.jwks());
  const auto keys = fetching.make();
  fetching.server.hold();
  const KeyUpkeep upkeep(keys, fetching.client, fetching.random);
  fetching.turn_until([&] { return fetching.server.requests() == 1; });
  const net::Deadline deadline{fetching.clock.now() + 1s, Reason::auth_timeout};
  Pending<Result<KeySource::Snapshot>> waiting(fetching.scene.loop,
                                               keys->newer_than(nullptr, fetching.scene.loop, deadline));
  fetching.turn_some();
  CHECK(!waiting.done());
  fetching.clock.advance(1s);
  CHECK(waiting.wait().error().reason == Reason::auth_timeout);
  fetching.server.release();
  fetching.turn_until_fetched(*keys, 1);
  CHECK(holds(keys->snapshot(), maker));
  fetching.turn_some();
  CHECK(fetching.scene.loop.live_tasks() == 0);
}

TEST_CASE("keys of a URL: the end of the upkeep lets everybody go") {
  Fetching fetching;
  const auto keys = fetching.make();
  fetching.server.hold();
  auto upkeep = std::make_unique<KeyUpkeep>(keys, fetching.client, fetching.random);
  fetching.turn_until([&] { return fetching.server.requests() == 1; });
  Pending<Result<KeySource::Snapshot>> waiting(
      fetching.scene.loop, keys->newer_than(nullptr, fetching.scene.loop, fetching.scene.deadline()));
  fetching.turn_some();
  CHECK(!waiting.done());
  upkeep.reset();
  CHECK(waiting.wait().value() == nullptr);
  CHECK(fetching.newer_than(*keys, nullptr) == nullptr);
  fetching.turn_some();
  CHECK(fetching.scene.loop.live_tasks() == 0);
}

TEST_CASE("keys of a URL: a reload starts from what was known") {
  const TokenMaker maker;
  Fetching fetching(maker.jwks());
  const auto keys = fetching.make();
  {
    const KeyUpkeep upkeep(keys, fetching.client, fetching.random);
    fetching.turn_until_fetched(*keys, 1);
  }
  const auto reloaded = fetching.make(60s);
  reloaded->start_from(*keys);
  CHECK(reloaded->snapshot() == keys->snapshot());
  CHECK(reloaded->status().loaded_at == keys->status().loaded_at);
  const auto elsewhere =
      std::make_shared<UrlKeys>(UrlKeysSettings{fetching.server.url("/other"), "", 60s}, fetching.scene.loop);
  elsewhere->start_from(*keys);
  CHECK(!elsewhere->snapshot());
}

}  // namespace
}  // namespace sallyport::auth
