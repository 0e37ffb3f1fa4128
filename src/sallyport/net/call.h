#pragma once

#include <functional>
#include <memory>
#include <optional>

#include "sallyport/net/loop.h"
#include "sallyport/net/stream.h"

namespace sallyport::net {

/// Runs the task that `start` makes on `there` and goes on with its result on `here`.
/// Suspends: until it is done or `deadline`. Errors: `deadline.late`; whatever the task says.
/// Lifetime: the task may outlive the caller: `start` must own what it uses. `there` outlives `here`.
template <class T>
Task<Result<T>> call_on(Loop& there, Loop& here, std::function<Task<Result<T>>()> start, Deadline deadline) {
  struct Shared {
    std::function<Task<Result<T>>()> start;
    std::optional<Result<T>> result;
    Wake* waiting;  // touched on the caller's thread only
    static Task<void> run(std::shared_ptr<Shared> self, Loop& home) {
      self->result.emplace(co_await self->start());
      home.post([self] {
        if (self->waiting) self->waiting->raise(Waiter::readable);
      });
    }
  };
  struct Leaver {
    std::shared_ptr<Shared> shared;
    ~Leaver() { shared->waiting = nullptr; }
  };
  Waiter waiter(here);
  auto shared = std::make_shared<Shared>(Shared{std::move(start), std::nullopt, &waiter.wake()});
  const Leaver leaver{shared};
  there.post([shared, &there, &here] { there.spawn(Shared::run(shared, here)); });
  CO_TRY_OK(co_await waiter.wait_for(Waiter::readable, deadline));
  co_return std::move(*shared->result);
}

}  // namespace sallyport::net
