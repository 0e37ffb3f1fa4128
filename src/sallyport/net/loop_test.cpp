#include "sallyport/net/loop.h"

#include <doctest/doctest.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <random>
#include <stdexcept>
#include <string>
#include <thread>

#include "sallyport/net/turning.h"

using namespace sallyport;
using namespace sallyport::net;
using std::chrono::milliseconds;

namespace {

constexpr Duration none = Duration::zero();

Task<void> sleeper(Loop& loop, Duration length, std::vector<int>& order, int name) {
  co_await loop.sleep_until(loop.now() + length);
  order.push_back(name);
}

Task<void> waiter(Wake& wake, std::vector<std::uint32_t>& seen, int times) {
  for (int i = 0; i < times; ++i) seen.push_back(co_await wake.next());
}

// Says when it is destroyed.
struct Trace {
  std::string& into;
  char name;
  ~Trace() { into += name; }
};

Task<void> forever(Loop& loop, std::string& destroyed, char name) {
  const Trace trace{destroyed, name};
  Wake wake(loop);
  co_await wake.next();
}

Task<void> throws_after(Loop& loop, int turns) {
  for (int i = 0; i < turns; ++i) co_await loop.sleep_until(loop.now());
  throw std::runtime_error("out of here");
}

Task<int> add(int left, int right) { co_return left + right; }
Task<int> nested(int depth) {
  if (depth == 0) co_return 0;
  const int below = co_await nested(depth - 1);
  co_return co_await add(below, 1);
}
Task<int> failing() {
  throw std::runtime_error("inner");
  co_return 0;
}
Task<std::string> catching() {
  try {
    co_await failing();
  } catch (const std::runtime_error& error) {
    co_return error.what();
  }
  co_return "nothing caught";
}

}  // namespace

TEST_CASE("loop: sleepers wake in the order of their time, not of their start, and not early") {
  FakeClock clock;
  Loop loop(clock);
  std::vector<int> order;
  for (const int length : {30, 10, 20, 40, 10}) loop.spawn(sleeper(loop, milliseconds(length), order, length));
  loop.turn(none);
  CHECK(order.empty());
  clock.advance(milliseconds(9));
  loop.turn(none);
  CHECK(order.empty());
  clock.advance(milliseconds(1));
  loop.turn(none);
  CHECK(order == std::vector{10, 10});
  clock.advance(milliseconds(20));
  loop.turn(none);
  CHECK(order == std::vector{10, 10, 20, 30});
  clock.advance(milliseconds(10));
  loop.turn(none);
  CHECK(order == std::vector{10, 10, 20, 30, 40});
  CHECK(loop.live_tasks() == 0);
}

TEST_CASE("loop: timers set, moved and cleared at random are due exactly when they say") {
  FakeClock clock;
  Loop loop(clock);
  const Instant start = loop.now();
  std::mt19937 random(7);
  struct Item {
    explicit Item(Loop& owner) : wake(owner), timer(wake, 1) {}
    Wake wake;
    Timer timer;
  };
  std::vector<std::unique_ptr<Item>> items;
  for (int i = 0; i < 200; ++i) items.push_back(std::make_unique<Item>(loop));
  for (int step = 0; step < 5000; ++step) {
    auto& item = items[random() % items.size()];
    switch (random() % 4) {
      case 0:
        item->timer.clear();
        CHECK_FALSE(item->timer.is_set());
        break;
      case 1:
        item = std::make_unique<Item>(loop);
        break;
      default:
        item->timer.set(start + milliseconds(1 + random() % 50));
    }
  }
  for (int now = 0; now <= 51; ++now) {
    loop.turn(none);
    for (const auto& item : items) {
      if (item->timer.is_set()) CHECK(item->timer.at() > start + milliseconds(now));
    }
    clock.advance(milliseconds(1));
  }
  for (const auto& item : items) CHECK_FALSE(item->timer.is_set());
}

TEST_CASE("loop: a timer that was set again is due at the later time only") {
  FakeClock clock;
  Loop loop(clock);
  Wake wake(loop);
  Timer timer(wake, 4);
  std::vector<std::uint32_t> seen;
  loop.spawn(waiter(wake, seen, 1));
  timer.set(loop.now() + milliseconds(1));
  timer.set(loop.now() + milliseconds(3));
  clock.advance(milliseconds(2));
  loop.turn(none);
  CHECK(seen.empty());
  clock.advance(milliseconds(1));
  loop.turn(none);
  CHECK(seen == std::vector<std::uint32_t>{4});
}

TEST_CASE("loop: bits raised before the wait are not lost, bits raised together come together") {
  const FakeClock clock;
  Loop loop(clock);
  Wake wake(loop);
  std::vector<std::uint32_t> seen;
  wake.raise(1);
  wake.raise(8);
  loop.spawn(waiter(wake, seen, 2));
  CHECK(seen == std::vector<std::uint32_t>{9});
  wake.raise(2);
  wake.raise(4);
  CHECK(seen.size() == 1);
  loop.turn(none);
  CHECK(seen == std::vector<std::uint32_t>{9, 6});
}

TEST_CASE("loop: a coroutine is never resumed from inside raise()") {
  const FakeClock clock;
  Loop loop(clock);
  Wake first(loop);
  Wake second(loop);
  std::string trace;
  const auto ping = [](Wake& own, Wake& other, std::string& into) -> Task<void> {
    co_await own.next();
    into += "a(";
    other.raise(1);
    into += ")";
  };
  const auto pong = [](Wake& own, std::string& into) -> Task<void> {
    co_await own.next();
    into += "b";
  };
  loop.spawn(ping(first, second, trace));
  loop.spawn(pong(second, trace));
  first.raise(1);
  CHECK(trace.empty());
  loop.turn(none);
  CHECK(trace == "a()");
  loop.turn(std::chrono::seconds(10));
  CHECK(trace == "a()b");
}

TEST_CASE("loop: a Wake that is destroyed while it is due takes its coroutine with it") {
  const FakeClock clock;
  Loop loop(clock);
  std::string destroyed;
  Wake killer_wake(loop);
  Wake* victim_wake = nullptr;
  bool resumed = false;
  const auto victim_code = [](Loop& owner, Wake*& out, bool& went_on, std::string& into) -> Task<void> {
    const Trace trace{into, 'v'};
    Wake wake(owner);
    out = &wake;
    co_await wake.next();
    went_on = true;
  };
  std::optional<Task<void>> victim(victim_code(loop, victim_wake, resumed, destroyed));
  victim->await_suspend(std::noop_coroutine()).resume();
  const auto killer_code = [](Wake& wake, std::optional<Task<void>>& target) -> Task<void> {
    co_await wake.next();
    target.reset();
  };
  loop.spawn(killer_code(killer_wake, victim));
  SUBCASE("in the turn that would have resumed it") {
    killer_wake.raise(1);
    victim_wake->raise(1);
  }
  SUBCASE("before that turn") {
    victim_wake->raise(1);
    victim.reset();
    killer_wake.raise(1);
  }
  loop.turn(none);
  loop.turn(none);
  CHECK(destroyed == "v");
  CHECK_FALSE(resumed);
}

TEST_CASE("loop: a task starts at once and is counted until it has finished") {
  const FakeClock clock;
  Loop loop(clock);
  Wake wake(loop);
  std::vector<std::uint32_t> seen;
  CHECK(loop.live_tasks() == 0);
  loop.spawn(waiter(wake, seen, 1));
  CHECK(loop.live_tasks() == 1);
  loop.spawn(waiter(wake, seen, 0));
  CHECK(loop.live_tasks() == 1);
  wake.raise(1);
  loop.turn(none);
  CHECK(loop.live_tasks() == 0);
}

TEST_CASE("loop: what is suspended when the loop goes is destroyed, youngest first") {
  const FakeClock clock;
  std::string destroyed;
  {
    Loop loop(clock);
    for (const char name : {'1', '2', '3'}) loop.spawn(forever(loop, destroyed, name));
    CHECK(destroyed.empty());
  }
  CHECK(destroyed == "321");
}

TEST_CASE("loop: what a task lets escape reaches the handler, and the others go on") {
  const FakeClock clock;
  Loop loop(clock);
  std::vector<std::string> escaped;
  loop.on_escaped_exception([&](std::exception_ptr exception) {
    try {
      std::rethrow_exception(exception);
    } catch (const std::exception& error) {
      escaped.push_back(error.what());
    }
  });
  std::vector<int> order;
  loop.spawn(throws_after(loop, 0));
  loop.spawn(throws_after(loop, 2));
  loop.spawn(sleeper(loop, none, order, 1));
  net::testing::finish_all(loop);
  CHECK(escaped == std::vector<std::string>{"out of here", "out of here"});
  CHECK(order == std::vector{1});
}

TEST_CASE("task: values and exceptions reach whoever awaits, however deep") {
  const FakeClock clock;
  Loop loop(clock);
  CHECK(net::testing::wait_for(loop, nested(1000)) == 1000);
  CHECK(net::testing::wait_for(loop, catching()) == "inner");
}

TEST_CASE("loop: posted work runs on the loop's thread, in the order of each poster") {
  const SystemClock clock;
  Loop loop(clock);
  constexpr int posters = 4;
  constexpr int rounds = 500;
  std::vector<std::vector<int>> seen(posters);
  int strangers = 0;
  const auto here = std::this_thread::get_id();
  std::vector<std::thread> threads;
  for (int i = 0; i < posters; ++i) {
    threads.emplace_back([&, i] {
      for (int round = 0; round < rounds; ++round) {
        loop.post([&, i, round] {
          seen[static_cast<std::size_t>(i)].push_back(round);
          if (std::this_thread::get_id() != here) ++strangers;
        });
      }
    });
  }
  const auto done = [&] {
    return std::all_of(seen.begin(), seen.end(), [](const auto& one) { return one.size() == rounds; });
  };
  while (!done()) loop.turn(std::chrono::seconds(10));
  for (std::thread& thread : threads) thread.join();
  CHECK(strangers == 0);
  for (const auto& one : seen) CHECK(std::is_sorted(one.begin(), one.end()));
}

TEST_CASE("loop: work posted by posted work runs in a later turn") {
  const FakeClock clock;
  Loop loop(clock);
  int runs = 0;
  loop.post([&] {
    ++runs;
    loop.post([&] { ++runs; });
  });
  loop.turn(none);
  CHECK(runs == 1);
  loop.turn(none);
  CHECK(runs == 2);
}

TEST_CASE("loop: run() ends at stop(), from this thread or another, and may be repeated") {
  const SystemClock clock;
  Loop loop(clock);
  loop.stop();
  loop.run();
  loop.post([&] { loop.stop(); });
  loop.run();
  std::thread other([&] { loop.stop(); });
  loop.run();
  other.join();
}

TEST_CASE("loop: readiness of a descriptor reaches its handler for as long as it lasts") {
  const FakeClock clock;
  Loop loop(clock);
  int ends[2];
  REQUIRE(::pipe(ends) == 0);
  struct Counter final : IoHandler {
    void on_io(std::uint32_t) override { ++calls; }
    int calls = 0;
  } counter;
  loop.add(ends[0], EPOLLIN, counter);
  loop.turn(none);
  CHECK(counter.calls == 0);
  REQUIRE(::write(ends[1], "x", 1) == 1);
  loop.turn(none);
  loop.turn(none);
  CHECK(counter.calls == 2);
  loop.modify(ends[0], 0, counter);
  loop.turn(none);
  CHECK(counter.calls == 2);
  loop.modify(ends[0], EPOLLIN, counter);
  loop.turn(none);
  CHECK(counter.calls == 3);
  loop.remove(ends[0]);
  loop.turn(none);
  CHECK(counter.calls == 3);
  ::close(ends[0]);
  ::close(ends[1]);
}

TEST_CASE("loop: what was posted sees the time at which it runs, not that before the wait") {
  // Goes on whenever it is asked.
  class Restless final : public Clock {
   public:
    Instant now() const override { return Instant(std::chrono::hours(1)) + std::chrono::seconds(++asked_); }
    WallTime wall() const override { return {}; }

   private:
    mutable int asked_ = 0;
  } clock;
  Loop loop(clock);
  Instant seen{};
  loop.post([&] { seen = loop.now(); });
  const Instant before = clock.now();
  loop.turn(none);
  CHECK(seen == before + std::chrono::seconds(2));  // once at the turn's begin, once after its wait
  CHECK(loop.now() == seen);
}
