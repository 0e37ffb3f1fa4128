#pragma once

#include <chrono>
#include <cstdint>

namespace sallyport {

using Duration = std::chrono::nanoseconds;
/// A point on a clock that never jumps; for timers and deadlines.
using Instant = std::chrono::time_point<std::chrono::steady_clock, Duration>;
/// A point in calendar time, for `exp` and the like.
using WallTime = std::chrono::sys_time<std::chrono::milliseconds>;

inline std::int64_t to_unix_ms(WallTime time) { return time.time_since_epoch().count(); }
inline std::int64_t to_unix_seconds(WallTime time) {
  return std::chrono::floor<std::chrono::seconds>(time).time_since_epoch().count();
}
inline WallTime from_unix_seconds(std::int64_t seconds) { return WallTime(std::chrono::seconds(seconds)); }

/// Where time comes from; an argument everywhere, so that a test can hold it still.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual Instant now() const = 0;
  virtual WallTime wall() const = 0;
};

class SystemClock final : public Clock {
 public:
  Instant now() const override { return std::chrono::steady_clock::now(); }
  WallTime wall() const override {
    return std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now());
  }
};

/// Stands still until told otherwise.
class FakeClock final : public Clock {
 public:
  explicit FakeClock(std::int64_t unix_seconds = 1'800'000'000) : wall_(from_unix_seconds(unix_seconds)) {}
  Instant now() const override { return now_; }
  WallTime wall() const override { return wall_; }
  void advance(Duration by) {
    now_ += by;
    wall_ += std::chrono::duration_cast<std::chrono::milliseconds>(by);
  }
  /// Somebody sets the calendar; no time passes.
  void step_wall(std::chrono::milliseconds by) { wall_ += by; }

 private:
  Instant now_{std::chrono::hours(1)};
  WallTime wall_;
};

}  // namespace sallyport
