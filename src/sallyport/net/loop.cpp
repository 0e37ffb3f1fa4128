#include "sallyport/net/loop.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "sallyport/base/result.h"

namespace sallyport::net {

// The frame that owns a spawned task; linked so that the loop can destroy what has not finished.
struct Loop::Root {
  struct promise_type {
    Root get_return_object() { return {}; }
    std::suspend_never initial_suspend() const noexcept { return {}; }
    std::suspend_never final_suspend() const noexcept { return {}; }
    void return_void() const noexcept {}
    void unhandled_exception() const noexcept { std::terminate(); }

    promise_type(Loop& owner, Task<void>&) : loop(owner), next(static_cast<promise_type*>(owner.roots_)) {
      if (next) next->previous = this;
      loop.roots_ = this;
      ++loop.live_tasks_;
    }
    ~promise_type() {
      if (previous) previous->next = next;
      if (next) next->previous = previous;
      if (loop.roots_ == this) loop.roots_ = next;
      --loop.live_tasks_;
    }
    Loop& loop;
    promise_type* next;
    promise_type* previous = nullptr;
  };
};

Loop::Root Loop::run_root(Loop& loop, Task<void> task) {
  try {
    co_await task;
  } catch (...) {
    if (!loop.escaped_) throw;
    loop.escaped_(std::current_exception());
  }
}

Wake::~Wake() {
  if (!queued_) return;
  std::replace(loop_.ready_.begin(), loop_.ready_.end(), this, static_cast<Wake*>(nullptr));
  std::replace(loop_.running_.begin(), loop_.running_.end(), this, static_cast<Wake*>(nullptr));
}

void Wake::raise(std::uint32_t bits) {
  bits_ |= bits;
  if (!waiting_ || queued_) return;
  queued_ = true;
  loop_.ready_.push_back(this);
}

void Timer::set(Instant at) {
  Loop& loop = wake_.loop();
  at_ = at;
  if (!is_set()) {
    loop.timers_.push_back(this);
    place_ = loop.timers_.size() - 1;
  }
  loop.sift_up(place_);
  loop.sift_down(place_);
}

void Timer::clear() {
  if (!is_set()) return;
  Loop& loop = wake_.loop();
  const std::size_t hole = place_;
  Timer* last = loop.timers_.back();
  loop.timers_.pop_back();
  place_ = unset;
  if (last == this) return;
  loop.place_timer(hole, last);
  loop.sift_up(hole);
  loop.sift_down(last->place_);
}

void Loop::sift_up(std::size_t place) {
  Timer* timer = timers_[place];
  while (place > 0) {
    const std::size_t parent = (place - 1) / 2;
    if (timers_[parent]->at_ <= timer->at_) break;
    place_timer(place, timers_[parent]);
    place = parent;
  }
  place_timer(place, timer);
}

void Loop::sift_down(std::size_t place) {
  Timer* timer = timers_[place];
  for (;;) {
    std::size_t child = 2 * place + 1;
    if (child >= timers_.size()) break;
    if (child + 1 < timers_.size() && timers_[child + 1]->at_ < timers_[child]->at_) ++child;
    if (timer->at_ <= timers_[child]->at_) break;
    place_timer(place, timers_[child]);
    place = child;
  }
  place_timer(place, timer);
}

Loop::Loop(const Clock& clock) : clock_(clock), now_(clock.now()) {
  epoll_ = ::epoll_create1(EPOLL_CLOEXEC);
  wakeup_ = ::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  SALLYPORT_CHECK(epoll_ >= 0 && wakeup_ >= 0);
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.ptr = nullptr;
  SALLYPORT_CHECK(::epoll_ctl(epoll_, EPOLL_CTL_ADD, wakeup_, &event) == 0);
}

Loop::~Loop() {
  cancel_tasks();
  ::close(wakeup_);
  ::close(epoll_);
}

void Loop::run() {
  while (!stopping_.load(std::memory_order_relaxed)) turn(std::chrono::hours(1));
  stopping_ = false;
}

void Loop::turn(Duration longest) {
  now_ = clock_.now();
  if (!ready_.empty()) {
    longest = Duration::zero();
  } else if (!timers_.empty()) {
    longest = std::clamp(timers_.front()->at_ - now_, Duration::zero(), longest);
  }
  dispatch_events(longest);
  fire_timers();
  run_ready();
}

void Loop::stop() {
  stopping_ = true;
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto written = ::write(wakeup_, &one, sizeof one);
}

void Loop::post(std::function<void()> work) {
  {
    const std::scoped_lock lock(posted_mutex_);
    posted_.push_back(std::move(work));
  }
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto written = ::write(wakeup_, &one, sizeof one);
}

void Loop::spawn(Task<void> task) { run_root(*this, std::move(task)); }

void Loop::cancel_tasks() {
  while (roots_) {
    auto& youngest = *static_cast<Root::promise_type*>(roots_);
    std::coroutine_handle<Root::promise_type>::from_promise(youngest).destroy();
  }
}

Task<void> Loop::sleep_until(Instant at) {
  Wake wake(*this);
  Timer timer(wake, 1);
  timer.set(at);
  co_await wake.next();
}

void Loop::dispatch_events(Duration longest) {
  epoll_event events[256];
  // Rounded up, so that a timer is due when the wait for it ends.
  const auto wait = std::chrono::ceil<std::chrono::milliseconds>(longest).count();
  const int count = ::epoll_wait(epoll_, events, 256, static_cast<int>(wait));
  SALLYPORT_CHECK(count >= 0 || errno == EINTR);
  // What was posted from outside may set deadlines, and the wait may have been long.
  now_ = clock_.now();
  bool posted = false;
  for (int i = 0; i < count; ++i) {
    if (events[i].data.ptr) {
      static_cast<IoHandler*>(events[i].data.ptr)->on_io(events[i].events);
    } else {
      posted = true;
    }
  }
  if (posted) run_posted();
}

void Loop::run_posted() {
  std::uint64_t drained;
  [[maybe_unused]] const auto read = ::read(wakeup_, &drained, sizeof drained);
  std::vector<std::function<void()>> work;
  {
    const std::scoped_lock lock(posted_mutex_);
    work.swap(posted_);
  }
  for (auto& item : work) item();
}

void Loop::fire_timers() {
  while (!timers_.empty() && timers_.front()->at_ <= now_) {
    Timer* due = timers_.front();
    due->clear();
    due->wake_.raise(due->bits_);
  }
}

void Loop::run_ready() {
  running_.swap(ready_);
  for (std::size_t i = 0; i < running_.size(); ++i) {
    Wake* wake = running_[i];
    if (!wake) continue;
    wake->queued_ = false;
    std::exchange(wake->waiting_, {}).resume();
  }
  running_.clear();
}

void Loop::add(int fd, std::uint32_t epoll_events, IoHandler& handler) {
  epoll_event event{};
  event.events = epoll_events;
  event.data.ptr = &handler;
  SALLYPORT_CHECK(::epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event) == 0);
}

void Loop::modify(int fd, std::uint32_t epoll_events, IoHandler& handler) {
  epoll_event event{};
  event.events = epoll_events;
  event.data.ptr = &handler;
  SALLYPORT_CHECK(::epoll_ctl(epoll_, EPOLL_CTL_MOD, fd, &event) == 0);
}

void Loop::remove(int fd) { ::epoll_ctl(epoll_, EPOLL_CTL_DEL, fd, nullptr); }

}  // namespace sallyport::net
