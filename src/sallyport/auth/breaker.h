#pragma once

#include <chrono>
#include <cstdint>
#include <mutex>
#include <optional>
#include <utility>

#include "sallyport/base/clock.h"
#include "sallyport/base/result.h"
#include "sallyport/config/schema.h"

namespace sallyport::auth {

struct BreakerConfig {
  std::uint32_t failures = 5;
  std::chrono::milliseconds pause{1000};
  std::chrono::milliseconds longest_pause{30'000};
};

config::Schema<BreakerConfig> breaker_schema();

/// Keeps from asking a server that does not answer: after so many failures in a row nobody is asked for a while (open), then one
/// question alone may find out whether it is back (half open). Each trial in vain doubles the wait.
/// Threads: any.
class Breaker {
 public:
  enum class State : std::uint8_t { closed, open, half_open };

  /// Leave to ask once. One that is dropped without a word on its outcome, because nobody waits for the answer any more, counts as
  /// neither success nor failure.
  /// Lifetime: the breaker outlives it.
  class Leave {
   public:
    Leave(Leave&& other) noexcept : breaker_(std::exchange(other.breaker_, nullptr)), trial_(other.trial_) {}
    Leave& operator=(Leave&&) = delete;
    ~Leave();
    void succeeded();
    void failed(Instant now);

   private:
    friend class Breaker;
    Leave(Breaker& breaker, bool trial) : breaker_(&breaker), trial_(trial) {}
    Breaker* breaker_;
    bool trial_;
  };

  explicit Breaker(BreakerConfig config) : config_(config), pause_(config.pause) {}
  Breaker(const Breaker&) = delete;
  Breaker& operator=(const Breaker&) = delete;

  /// Errors: `auth.unavailable` while it is open, and beside a trial.
  Result<Leave> ask(Instant now);
  State state(Instant now) const;

 private:
  void close();
  void fail(Instant now, bool trial);
  void give_back(bool trial);

  const BreakerConfig config_;
  mutable std::mutex mutex_;
  std::uint32_t failures_ = 0;  // in a row
  std::optional<Instant> open_until_;
  Duration pause_;
  bool trying_ = false;
};

}  // namespace sallyport::auth
