#include "sallyport/auth/session/sources/query_threads.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <latch>
#include <stdexcept>

#include "sallyport/net/turning.h"

namespace sallyport::auth {
namespace {

using namespace std::chrono_literals;
using net::testing::wait_for;

// What the connections of a store do, as a test says.
struct Store {
  std::atomic<int> opened{0};
  std::atomic<int> asked{0};
  std::atomic<bool> reachable{true};
  std::atomic<bool> answers{true};
  std::atomic<bool> throws{false};
  std::latch* hold = nullptr;  // each query waits for it
};

class Query final : public SessionQuery {
 public:
  explicit Query(Store& store) : store_(store) {}
  Result<FoundSessions> find(const std::vector<std::string>& keys, Instant) override {
    ++store_.asked;
    if (store_.hold) store_.hold->wait();
    if (store_.throws) throw std::runtime_error("a slip");
    if (!store_.answers) return Error{Reason::store_unavailable, "no answer"};
    FoundSessions found;
    for (const std::string& key : keys) found.emplace_back(StoredSession{"of " + key, {}, std::nullopt});
    return found;
  }

 private:
  Store& store_;
};

OpenSessionQuery open(Store& store) {
  return [&store](Instant) -> Result<std::unique_ptr<SessionQuery>> {
    ++store.opened;
    if (!store.reachable) return Error{Reason::store_unavailable, "nobody there"};
    return std::unique_ptr<SessionQuery>(std::make_unique<Query>(store));
  };
}

struct Scene {
  SystemClock clock;
  net::Loop loop{clock};
  Store store;
  Result<FoundSessions> find(QueryThreads& threads, std::vector<std::string> keys, Duration within = 30s) {
    return wait_for(loop, threads.find_many(std::move(keys), loop, {clock.now() + within, Reason::auth_timeout}));
  }
};

TEST_CASE("query threads: answers stand where their keys stood, and what is no key is not asked") {
  Scene scene;
  QueryThreads threads(2, open(scene.store));
  const auto found = scene.find(threads, {"../x", "b", "", "a"});
  REQUIRE(found.ok());
  CHECK(!(*found)[0]);
  CHECK((*found)[1]->data == "of b");
  CHECK(!(*found)[2]);
  CHECK((*found)[3]->data == "of a");
  CHECK(scene.store.asked == 1);
  CHECK(scene.find(threads, {"a b", "*"}).ok());
  CHECK(scene.store.asked == 1);
}

TEST_CASE("query threads: a store out of reach is not knocked at for every question, and is found again") {
  Scene scene;
  scene.store.reachable = false;
  QueryThreads threads(1, open(scene.store));
  for (int i = 0; i < 20; ++i) {
    const auto found = scene.find(threads, {"a"});
    REQUIRE(!found.ok());
    CHECK(found.error().reason == Reason::store_unavailable);
    CHECK(found.error().detail == "nobody there");
  }
  CHECK(scene.store.opened < 20);
  scene.store.reachable = true;
  while (!scene.find(threads, {"a"}).ok()) continue;
}

TEST_CASE("query threads: a connection that has died is opened again for the same question") {
  Scene scene;
  QueryThreads threads(1, open(scene.store));
  REQUIRE(scene.find(threads, {"a"}).ok());
  scene.store.answers = false;
  CHECK(scene.find(threads, {"a"}).error().detail == "no answer");
  CHECK(scene.store.opened == 2);
  CHECK(scene.store.asked == 3);
}

TEST_CASE("query threads: a bug costs the question that met it") {
  Scene scene;
  QueryThreads threads(1, open(scene.store));
  scene.store.throws = true;
  CHECK(scene.find(threads, {"a"}).error().reason == Reason::store_unavailable);
  scene.store.throws = false;
  CHECK(scene.find(threads, {"a"}).ok());
}

TEST_CASE("query threads: the caller leaves at its deadline, whatever the store does") {
  Scene scene;
  std::latch hold(1);
  scene.store.hold = &hold;
  QueryThreads threads(1, open(scene.store));
  const auto late = scene.find(threads, {"a"}, 20ms);
  REQUIRE(!late.ok());
  CHECK(late.error().reason == Reason::auth_timeout);
  hold.count_down();
}

TEST_CASE("query threads: the queue has a bound, and who was in it when the source goes is told") {
  Scene scene;
  std::latch hold(1);
  scene.store.hold = &hold;
  auto threads = std::make_unique<QueryThreads>(1, open(scene.store));
  std::vector<std::optional<Result<FoundSessions>>> results(QueryThreads::longest_queue + 2);
  for (auto& result : results) {
    scene.loop.spawn(net::testing::keep(
        threads->find_many({"a"}, scene.loop, {scene.clock.now() + 60s, Reason::auth_timeout}), result));
  }
  scene.loop.turn(0s);
  const auto refused = std::ranges::count_if(results, [](const auto& result) { return result && !result->ok(); });
  CHECK(refused >= 1);
  std::thread letting_go([&] {
    while (scene.store.asked == 0) std::this_thread::yield();
    hold.count_down();
  });
  threads.reset();
  letting_go.join();
  net::testing::finish_all(scene.loop);
  for (const auto& result : results) CHECK(result.has_value());
}

TEST_CASE("query threads: a caller's loop may go before the answer") {
  Store store;
  std::latch hold(1);
  store.hold = &hold;
  QueryThreads threads(1, open(store));
  {
    Scene scene;
    std::optional<Result<FoundSessions>> never;
    scene.loop.spawn(net::testing::keep(
        threads.find_many({"a"}, scene.loop, {scene.clock.now() + 60s, Reason::auth_timeout}), never));
    scene.loop.turn(0s);
    scene.loop.cancel_tasks();
  }
  hold.count_down();
}

}  // namespace
}  // namespace sallyport::auth
