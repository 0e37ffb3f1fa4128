#pragma once

#include <atomic>
#include <cstdint>
#include <memory>

#include "sallyport/base/log.h"

namespace sallyport::net {

/// Writes events to a descriptor from a thread of its own, many at a time, so that whoever reads the log too slowly holds up nobody's
/// connection. An event waits ten milliseconds at most for others. What cannot be kept in `most` bytes is dropped and counted; the
/// count is logged as `log.dropped` as soon as there is room again.
/// Threads:  any.
/// Lifetime: the descriptor outlives it. Its end waits for what is queued, two seconds at most.
class LogWriter final : public Log {
 public:
  explicit LogWriter(int fd, const Clock& clock, std::size_t most = 8 * 1024 * 1024);
  ~LogWriter() override;
  LogWriter(const LogWriter&) = delete;
  LogWriter& operator=(const LogWriter&) = delete;

  void write(std::string_view line) override;
  std::uint64_t dropped() const;

 private:
  struct State;
  static void run(const std::shared_ptr<State>& state);
  std::shared_ptr<State> state_;  // shared with the thread, which may be stuck in a write for ever
};

}  // namespace sallyport::net
