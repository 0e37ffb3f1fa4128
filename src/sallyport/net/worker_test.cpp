#include "sallyport/net/worker.h"

#include <doctest/doctest.h>

#include <memory>
#include <string>
#include <vector>

#include "sallyport/net/turning.h"

using namespace sallyport;
using namespace sallyport::net;
using net::testing::keep;
using net::testing::wait_for;

namespace {

// A gate at which the worker's thread can be held.
class Gate {
 public:
  void open() {
    const std::scoped_lock lock(mutex_);
    open_ = true;
    changed_.notify_all();
  }
  void pass() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return open_; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool open_ = false;
};

Task<std::vector<std::thread::id>> threads_of(Worker& worker, Loop& loop) {
  std::vector<std::thread::id> ids;
  ids.push_back(std::this_thread::get_id());
  ids.push_back(co_await offload(worker, loop, [] { return std::this_thread::get_id(); }));
  ids.push_back(std::this_thread::get_id());
  co_return ids;
}

}  // namespace

TEST_CASE("worker: the work runs on its thread, what follows on the loop's") {
  const SystemClock clock;
  Loop loop(clock);
  Worker worker;
  const auto ids = wait_for(loop, threads_of(worker, loop));
  CHECK(ids[0] == std::this_thread::get_id());
  CHECK(ids[1] != std::this_thread::get_id());
  CHECK(ids[2] == std::this_thread::get_id());
}

TEST_CASE("worker: jobs run one by one in the order of their submission") {
  std::vector<int> order;
  {
    Worker worker;
    for (int i = 0; i < 100; ++i) worker.submit([&order, i] { order.push_back(i); });
  }
  REQUIRE(order.size() == 100);
  CHECK(std::is_sorted(order.begin(), order.end()));
}

TEST_CASE("worker: what is queued when it is destroyed is finished first") {
  Gate gate;
  int done = 0;
  auto worker = std::make_unique<Worker>();
  worker->submit([&] { gate.pass(); });
  for (int i = 0; i < 10; ++i) worker->submit([&] { ++done; });
  CHECK(done == 0);
  gate.open();
  worker.reset();
  CHECK(done == 10);
}

TEST_CASE("worker: a result may be large and need not be copied") {
  const SystemClock clock;
  Loop loop(clock);
  Worker worker;
  const auto result = wait_for(loop, offload(worker, loop, [] { return std::make_unique<std::string>(1 << 20, 'x'); }));
  CHECK(result->size() == 1 << 20);
}

TEST_CASE("worker: many coroutines of one loop wait at once, each gets its own result") {
  const SystemClock clock;
  Loop loop(clock);
  Worker worker;
  std::vector<std::optional<int>> results(100);
  for (int i = 0; i < 100; ++i) {
    loop.spawn(keep(offload(worker, loop, [i] { return i; }), results[static_cast<std::size_t>(i)]));
  }
  net::testing::finish_all(loop);
  for (int i = 0; i < 100; ++i) CHECK(results[static_cast<std::size_t>(i)] == i);
}

TEST_CASE("worker: a coroutine may be destroyed while it waits; the work owns what it uses") {
  const SystemClock clock;
  Loop loop(clock);
  Gate gate;
  auto held = std::make_shared<int>(0);
  {
    Worker worker;
    worker.submit([&] { gate.pass(); });
    std::optional<Task<int>> waiting(offload(worker, loop, [held] { return ++*held; }));
    waiting->await_suspend(std::noop_coroutine()).resume();
    SUBCASE("before the work has run") {
      waiting.reset();
      gate.open();
    }
    SUBCASE("after the work has run, before the loop has heard of it") {
      gate.open();
      Gate done;
      worker.submit([&] { done.open(); });
      done.pass();
      waiting.reset();
    }
  }
  CHECK(*held == 1);
  loop.turn(Duration::zero());
  CHECK(held.use_count() == 1);
}

TEST_CASE("worker: a loop may go while its coroutines wait, once the worker has gone") {
  const SystemClock clock;
  std::optional<int> result;
  Loop loop(clock);
  Worker worker;
  loop.spawn(keep(offload(worker, loop, [] { return 1; }), result));
  CHECK(loop.live_tasks() == 1);
}
