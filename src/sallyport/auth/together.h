#pragma once

#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "sallyport/auth/per_loop.h"
#include "sallyport/net/stream.h"

/// Several questions at once, and several who ask the same.
namespace sallyport::auth {

/// The results of all `tasks`, in their order; they run side by side.
/// Suspends: until the last is done. Lifetime: what the tasks refer to outlives this call.
template <class T>
net::Task<std::vector<T>> all_together(net::Loop& loop, std::vector<net::Task<T>> tasks) {
  struct One {
    std::optional<T> result;
    std::exception_ptr exception;
    static net::Task<void> run(net::Task<T> task, One& out, std::size_t& left, net::Wake& done) {
      try {
        out.result.emplace(co_await task);
      } catch (...) {
        out.exception = std::current_exception();
      }
      if (--left == 0) done.raise(1);
    }
  };
  net::Wake done(loop);
  std::size_t left = tasks.size();
  std::vector<One> ones(tasks.size());
  std::vector<net::Task<void>> running;
  running.reserve(tasks.size());
  for (std::size_t i = 0; i < tasks.size(); ++i) {
    running.push_back(One::run(std::move(tasks[i]), ones[i], left, done));
    // Runs up to its first wait; from there on the loop resumes it.
    running.back().await_suspend(std::noop_coroutine()).resume();
  }
  if (left > 0) co_await done.next();
  std::vector<T> results;
  results.reserve(ones.size());
  for (One& one : ones) {
    if (one.exception) std::rethrow_exception(one.exception);
    results.push_back(std::move(*one.result));
  }
  co_return results;
}

/// Lets those who ask for the same thing at the same time share one answer. The work belongs to none of them: it goes on when the one
/// who began it has left. Each loop has its own.
/// Threads: any; the T is copied within one loop only.
template <class T>
class Coalesced {
 public:
  /// What `start` comes to, or what another's did that is under way for `key`.
  /// Suspends: until it is done or `deadline`. Errors: `deadline.late`; whatever the work says; `auth.unavailable` when it broke off.
  /// Lifetime: the work may outlive the caller: `start` must own what it uses, but for what belongs to `loop`.
  net::Task<Result<T>> get(std::string key, net::Loop& loop, std::function<net::Task<Result<T>>()> start,
                           net::Deadline deadline) const {
    OfLoop& here = of_loops_->at(loop);
    std::shared_ptr<Work>& place = here[key];
    const bool mine = !place;
    if (mine) place = std::make_shared<Work>();
    const std::shared_ptr<Work> work = place;
    net::Waiter waiter(loop);
    const Place waiting(*work, waiter.wake());
    if (mine) loop.spawn(run(of_loops_, loop, std::move(key), work, std::move(start)));
    if (!work->done) CO_TRY_OK(co_await waiter.wait_for(net::Waiter::readable, deadline));
    if (!work->result) co_return Error{Reason::auth_unavailable, "the work that was waited for broke off"};
    co_return *work->result;
  }

 private:
  struct Work {
    bool done = false;
    std::optional<Result<T>> result;
    std::vector<net::Wake*> waiting;
  };
  using OfLoop = std::unordered_map<std::string, std::shared_ptr<Work>>;

  struct Place {
    Place(Work& its_work, net::Wake& its_wake) : work(its_work), wake(&its_wake) { work.waiting.push_back(wake); }
    Place(const Place&) = delete;
    Place& operator=(const Place&) = delete;
    ~Place() { std::erase(work.waiting, wake); }
    Work& work;
    net::Wake* wake;
  };

  // However it ends, whoever asks from then on begins anew.
  struct Entry {
    OfLoop& of;
    const std::string& key;
    ~Entry() { of.erase(key); }
  };

  static net::Task<void> run(std::shared_ptr<PerLoop<OfLoop>> of_loops, net::Loop& loop, std::string key,
                             std::shared_ptr<Work> work, std::function<net::Task<Result<T>>()> start) {
    const Entry entry{of_loops->at(loop), key};
    std::exception_ptr bug;
    try {
      net::Task<Result<T>> task = start();
      work->result.emplace(co_await task);
    } catch (...) {
      bug = std::current_exception();
    }
    work->done = true;
    for (net::Wake* wake : work->waiting) wake->raise(net::Waiter::readable);
    if (bug) std::rethrow_exception(bug);
  }

  std::shared_ptr<PerLoop<OfLoop>> of_loops_ = std::make_shared<PerLoop<OfLoop>>();
};

}  // namespace sallyport::auth
