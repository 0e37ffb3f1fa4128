#pragma once

#include <sys/eventfd.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>

#include "sallyport/base/result.h"
#include "sallyport/net/loop.h"
#include "sallyport/net/socket.h"
#include "sallyport/net/stream.h"

/// Work that a thread does for a coroutine of a loop. The two meet in a descriptor that both own, never in a pointer to the loop: the
/// asker and its loop may be gone before the answer, and the thread before the question is dropped.
namespace sallyport::auth {

/// What both sides of an errand hold.
template <class T>
class ErrandBoard {
 public:
  ErrandBoard() : signal_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}

  /// The first word counts. Threads: any.
  void write(Result<T> result) {
    const std::scoped_lock lock(mutex_);
    if (result_) return;
    result_.emplace(std::move(result));
    const std::uint64_t one = 1;
    [[maybe_unused]] const auto told = ::write(signal_.get(), &one, sizeof one);
  }
  std::optional<Result<T>> take() {
    const std::scoped_lock lock(mutex_);
    return std::exchange(result_, std::nullopt);
  }
  const net::Fd& signal() const { return signal_; }
  void abandon() { abandoned_ = true; }
  bool is_abandoned() const { return abandoned_; }

 private:
  net::Fd signal_;
  std::atomic<bool> abandoned_{false};
  std::mutex mutex_;
  std::optional<Result<T>> result_;
};

/// The duty to answer. Whoever drops it has answered `store.unavailable`.
/// Threads: any, one at a time.
template <class T>
class Errand {
 public:
  explicit Errand(std::shared_ptr<ErrandBoard<T>> board) : board_(std::move(board)) {}
  Errand(Errand&&) noexcept = default;
  Errand& operator=(Errand&&) = delete;
  ~Errand() {
    if (board_) board_->write(Error{Reason::store_unavailable, "the source of sessions is closing"});
  }

  void answer(Result<T> result) { board_->write(std::move(result)); }
  /// Whether nobody waits for the answer any more.
  bool is_abandoned() const { return board_->is_abandoned(); }

 private:
  std::shared_ptr<ErrandBoard<T>> board_;
};

/// The answer that `board`'s errand brings. Errors: `deadline.late`; the answer's; `store.unavailable` when this process has no
/// descriptor left.
template <class T>
net::Task<Result<T>> wait_for_answer(std::shared_ptr<ErrandBoard<T>> board, net::Loop& here, net::Deadline deadline) {
  struct Leaver {
    ErrandBoard<T>& board;
    ~Leaver() { board.abandon(); }
  };
  if (!board->signal()) co_return Error{Reason::store_unavailable, "no descriptor left to wait with"};
  const Leaver leaver{*board};
  net::Waiter waiter(here);
  net::Readiness readiness(here, board->signal().get());
  readiness.attach(waiter.wake(), net::Waiter::readable, net::Waiter::writable);
  CO_TRY_OK(co_await waiter.wait_for(net::Waiter::readable, deadline));
  std::optional<Result<T>> result = board->take();
  SALLYPORT_CHECK(result.has_value());
  co_return std::move(*result);
}

}  // namespace sallyport::auth
