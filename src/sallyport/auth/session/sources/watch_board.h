#pragma once

#include <sys/eventfd.h>
#include <unistd.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "sallyport/auth/session/source.h"
#include "sallyport/net/socket.h"

namespace sallyport::auth {

/// Where a thread that watches a store leaves what it has seen for the loop that wants to know. Neither knows the other.
/// Threads: any.
class WatchBoard {
 public:
  /// Beyond so many that nobody has fetched, all count as changed.
  static constexpr std::size_t most_keys = 10'000;

  WatchBoard() : signal_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}

  void key_changed(std::string key) {
    const std::scoped_lock lock(mutex_);
    if (missed_) return;
    if (keys_.size() >= most_keys) {
      keys_.clear();
      missed_ = true;
    } else {
      keys_.push_back(std::move(key));
    }
    tell();
  }
  /// Changes may have been missed, and how things stand now: `trouble` is empty when changes are told at once.
  void missed(std::string trouble) {
    const std::scoped_lock lock(mutex_);
    keys_.clear();
    missed_ = true;
    trouble_ = std::move(trouble);
    tell();
  }

  /// What has changed since the last time; an empty key: anything.
  std::vector<std::string> take() {
    std::uint64_t count = 0;
    const std::scoped_lock lock(mutex_);
    [[maybe_unused]] const auto taken = ::read(signal_.get(), &count, sizeof count);
    if (std::exchange(missed_, false)) return {""};
    return std::exchange(keys_, {});
  }
  std::string trouble() const {
    const std::scoped_lock lock(mutex_);
    return trouble_;
  }
  const net::Fd& signal() const { return signal_; }

 private:
  void tell() {
    const std::uint64_t one = 1;
    [[maybe_unused]] const auto told = ::write(signal_.get(), &one, sizeof one);
  }

  net::Fd signal_;
  mutable std::mutex mutex_;
  std::vector<std::string> keys_;
  bool missed_ = false;
  std::string trouble_ = "not connected yet";
};

/// The end of a board on the loop that wants to know.
/// Threads: the loop's. Lifetime: `changed` must not destroy it.
class BoardWatch final : public SourceWatch {
 public:
  /// `leave` is called at the end of its life.
  BoardWatch(net::Loop& loop, std::shared_ptr<WatchBoard> board, SessionSource::Changed changed,
             std::function<void()> leave)
      : board_(std::move(board)),
        changed_(std::move(changed)),
        leave_(std::move(leave)),
        wake_(loop),
        readiness_(loop, board_->signal().get()),
        task_(run(*this)) {
    readiness_.attach(wake_, 1, 2);
    task_.start();
  }
  ~BoardWatch() override { leave_(); }

  std::string trouble() const override { return board_->trouble(); }

 private:
  static net::Task<void> run(BoardWatch& self) {
    for (;;) {
      (void)(co_await self.wake_.next());
      for (const std::string& key : self.board_->take()) self.changed_(key);
    }
  }

  std::shared_ptr<WatchBoard> board_;
  SessionSource::Changed changed_;
  std::function<void()> leave_;
  net::Wake wake_;
  net::Readiness readiness_;
  net::Task<void> task_;
};

}  // namespace sallyport::auth
