#pragma once

#include <atomic>
#include <coroutine>
#include <cstdint>
#include <functional>
#include <mutex>
#include <vector>

#include "sallyport/base/clock.h"
#include "sallyport/net/task.h"

/// One thread, one epoll set, one queue of coroutines that may go on. A turn of the loop has two halves that never mix: first
/// the kernel's events and due timers only raise bits on Wakes; then the coroutines whose Wake was raised run. So nothing that
/// an event refers to can be destroyed while events are being handed out, and no coroutine is ever resumed from inside another.
namespace sallyport::net {

class Loop;

/// Told of a descriptor's readiness. May only take note (raise a Wake); must not close descriptors or resume coroutines.
class IoHandler {
 public:
  virtual ~IoHandler() = default;
  virtual void on_io(std::uint32_t epoll_events) = 0;
};

/// What one coroutine waits on: a set of bits that anything on the same loop may raise.
/// Threads: the Loop's own.
class Wake {
 public:
  explicit Wake(Loop& loop) : loop_(loop) {}
  Wake(const Wake&) = delete;
  Wake& operator=(const Wake&) = delete;
  ~Wake();

  /// Adds `bits`; the waiting coroutine goes on in the second half of this turn.
  void raise(std::uint32_t bits);

  /// Suspends until at least one bit is raised; returns all raised bits and clears them. One coroutine at a time.
  auto next() { return Awaiter{*this}; }

  Loop& loop() const { return loop_; }

 private:
  friend class Loop;
  struct Awaiter {
    Wake& wake;
    bool await_ready() const noexcept { return wake.bits_ != 0; }
    void await_suspend(std::coroutine_handle<> waiting) const noexcept { wake.waiting_ = waiting; }
    std::uint32_t await_resume() const noexcept { return std::exchange(wake.bits_, 0); }
  };

  Loop& loop_;
  std::coroutine_handle<> waiting_;
  std::uint32_t bits_ = 0;
  bool queued_ = false;
};

/// Raises bits on a Wake once its time has come.
/// Threads: the Loop's own. Lifetime: the Wake outlives the timer.
class Timer {
 public:
  Timer(Wake& wake, std::uint32_t bits) : wake_(wake), bits_(bits) {}
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;
  ~Timer() { clear(); }

  /// Replaces whatever was set before.
  void set(Instant at);
  void clear();
  bool is_set() const { return place_ != unset; }
  Instant at() const { return at_; }

 private:
  friend class Loop;
  static constexpr std::size_t unset = static_cast<std::size_t>(-1);
  Wake& wake_;
  std::uint32_t bits_;
  Instant at_{};
  std::size_t place_ = unset;
};

class Loop {
 public:
  explicit Loop(const Clock& clock);
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;
  ~Loop();

  /// Turns until stop(). A loop may be run again after it was stopped.
  void run();
  /// One turn; waits for events `longest` at most. For tests.
  void turn(Duration longest);
  /// Threads: any.
  void stop();
  /// Runs `work` on this loop's thread, in a later turn. Threads: any.
  void post(std::function<void()> work);

  /// Starts `task` now and keeps it until it has finished or the loop is destroyed.
  void spawn(Task<void> task);
  /// Destroys every spawned task where it is suspended. Not from inside one.
  void cancel_tasks();
  /// How many spawned tasks have not finished.
  std::size_t live_tasks() const { return live_tasks_; }
  /// Receives what a spawned task lets escape; without one the process ends.
  void on_escaped_exception(std::function<void(std::exception_ptr)> handler) { escaped_ = std::move(handler); }

  /// The time at the start of this turn; cheap.
  Instant now() const { return now_; }
  WallTime wall() const { return clock_.wall(); }
  const Clock& clock() const { return clock_; }

  /// Suspends the caller until `at`.
  Task<void> sleep_until(Instant at);

  /// Level-triggered interest of `handler` in `fd`. Errors of the kernel here are bugs.
  void add(int fd, std::uint32_t epoll_events, IoHandler& handler);
  void modify(int fd, std::uint32_t epoll_events, IoHandler& handler);
  void remove(int fd);

 private:
  friend class Wake;
  friend class Timer;
  struct Root;

  void dispatch_events(Duration longest);
  void fire_timers();
  void run_ready();
  void run_posted();
  void sift_up(std::size_t place);
  void sift_down(std::size_t place);
  void place_timer(std::size_t place, Timer* timer) {
    timers_[place] = timer;
    timer->place_ = place;
  }
  static Root run_root(Loop& loop, Task<void> task);

  const Clock& clock_;
  Instant now_;
  int epoll_ = -1;
  int wakeup_ = -1;
  std::vector<Wake*> ready_;
  std::vector<Wake*> running_;
  std::vector<Timer*> timers_;  // a binary heap, earliest first
  std::size_t live_tasks_ = 0;
  void* roots_ = nullptr;
  std::function<void(std::exception_ptr)> escaped_;
  std::atomic<bool> stopping_{false};
  std::mutex posted_mutex_;
  std::vector<std::function<void()>> posted_;
};

}  // namespace sallyport::net
