#include "sallyport/auth/breaker.h"

#include <algorithm>

namespace sallyport::auth {

config::Schema<BreakerConfig> breaker_schema() {
  using namespace std::chrono_literals;
  return config::schema<BreakerConfig>(
      "auth.breaker", "When a server that does not answer is left alone. Meanwhile whoever needs its word is refused.",
      config::field(&BreakerConfig::failures, "failures",
                    "So many failures in a row: no answer in time, no connection, a status of 5xx.",
                    config::between(1, 1000)),
      config::field(&BreakerConfig::pause, "pause",
                    "How long it is left alone before one question tries again; doubles with each trial in vain.",
                    config::between(10ms, 60s)),
      config::field(&BreakerConfig::longest_pause, "longest_pause", "The longest that this becomes.",
                    config::between(10ms, 10min)));
}

Breaker::Leave::~Leave() {
  if (breaker_) breaker_->give_back(trial_);
}

void Breaker::Leave::succeeded() {
  if (breaker_) std::exchange(breaker_, nullptr)->close();
}

void Breaker::Leave::failed(Instant now) {
  if (breaker_) std::exchange(breaker_, nullptr)->fail(now, trial_);
}

Result<Breaker::Leave> Breaker::ask(Instant now) {
  const std::scoped_lock lock(mutex_);
  if (!open_until_) return Leave(*this, false);
  if (now < *open_until_ || trying_)
    return Error{Reason::auth_unavailable, "not asked: it failed " + std::to_string(failures_) + " times in a row"};
  trying_ = true;
  return Leave(*this, true);
}

Breaker::State Breaker::state(Instant now) const {
  const std::scoped_lock lock(mutex_);
  if (!open_until_) return State::closed;
  return now < *open_until_ ? State::open : State::half_open;
}

void Breaker::close() {
  const std::scoped_lock lock(mutex_);
  failures_ = 0;
  open_until_.reset();
  pause_ = config_.pause;
  trying_ = false;
}

void Breaker::fail(Instant now, bool trial) {
  const std::scoped_lock lock(mutex_);
  if (failures_ < UINT32_MAX) ++failures_;
  if (trial) {
    trying_ = false;
    pause_ = std::min<Duration>(pause_ * 2, std::max<Duration>(config_.longest_pause, config_.pause));
    open_until_ = now + pause_;
  } else if (!open_until_ && failures_ >= config_.failures) {
    open_until_ = now + pause_;
  }
}

void Breaker::give_back(bool trial) {
  const std::scoped_lock lock(mutex_);
  if (trial) trying_ = false;
}

}  // namespace sallyport::auth
