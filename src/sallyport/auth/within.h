#pragma once

#include <exception>
#include <optional>
#include <utility>

#include "sallyport/net/loop.h"
#include "sallyport/net/stream.h"

namespace sallyport::auth {

/// The result of `task`, unless `deadline` comes first; then `task` is destroyed where it stands. For what knows no deadline of its
/// own, such as a store.
/// Suspends: until the task is done or `deadline`. Errors: `deadline.late`; whatever the task says.
/// Lifetime: what the task refers to outlives this call, nothing more.
template <class T>
net::Task<Result<T>> within(net::Loop& loop, net::Task<Result<T>> task, net::Deadline deadline) {
  struct Run {
    std::optional<Result<T>> result;
    std::exception_ptr exception;
    static net::Task<void> until_done(net::Task<Result<T>> work, Run& out, net::Wake& done) {
      try {
        out.result.emplace(co_await work);
      } catch (...) {
        out.exception = std::current_exception();
      }
      done.raise(net::Waiter::readable);
    }
  };
  net::Waiter waiter(loop);
  Run run;
  const net::Task<void> running = Run::until_done(std::move(task), run, waiter.wake());
  // Runs up to its first wait; from there on the loop resumes it.
  running.await_suspend(std::noop_coroutine()).resume();
  CO_TRY_OK(co_await waiter.wait_for(net::Waiter::readable, deadline));
  if (run.exception) std::rethrow_exception(run.exception);
  co_return std::move(*run.result);
}

}  // namespace sallyport::auth
