#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <type_traits>

#include "sallyport/net/loop.h"

namespace sallyport::net {

/// A thread for what can only be done by blocking: the embedded database, name look-ups.
/// Lifetime: destroyed (after finishing what is queued) before any Loop that waits for it.
class Worker {
 public:
  Worker();
  ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  /// Runs `job` on the thread, after those queued before it. Threads: any.
  void submit(std::function<void()> job);

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> jobs_;
  bool stopping_ = false;
  std::thread thread_;
};

/// Runs `work` on `worker` and goes on with its result on `loop`.
/// Suspends: until the worker has got to it; no deadline of its own.
/// Lifetime: `work` may outlive the caller (who may be destroyed while waiting): it must own what it uses.
template <class F>
Task<std::invoke_result_t<F>> offload(Worker& worker, Loop& loop, F work) {
  struct Shared {
    std::optional<std::invoke_result_t<F>> result;
    Wake* waiting;  // touched on the loop's thread only
  };
  struct Leaver {
    std::shared_ptr<Shared> shared;
    ~Leaver() { shared->waiting = nullptr; }
  };
  Wake wake(loop);
  auto shared = std::make_shared<Shared>();
  shared->waiting = &wake;
  const Leaver leaver{shared};
  worker.submit([shared, &loop, work = std::move(work)]() mutable {
    shared->result.emplace(work());
    loop.post([shared] {
      if (shared->waiting) shared->waiting->raise(1);
    });
  });
  co_await wake.next();
  co_return std::move(*shared->result);
}

}  // namespace sallyport::net
