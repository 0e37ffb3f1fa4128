#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "sallyport/base/clock.h"
#include "sallyport/base/reason.h"

namespace sallyport {

class Secret;

enum class Level : std::uint8_t { info, warning, error };

/// Where events go: one JSON object per line.
/// Threads: any.
class Log {
 public:
  virtual ~Log() = default;
  /// `line` is complete, newline included.
  virtual void write(std::string_view line) = 0;
};

/// One security event, written when this object dies. Fields keep their order; text is escaped, so hostile bytes cannot forge a
/// line.
///
///     Event(log, wall, Level::info, "connection.accepted").text("subject", identity->subject).number("connections", n);
class Event {
 public:
  Event(Log& log, WallTime at, Level level, std::string_view name);
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;
  ~Event();

  /// Left out when `value` is empty.
  Event& text(std::string_view key, std::string_view value);
  Event& text(std::string_view key, const Secret& value) = delete;
  /// The start of what a stranger wrote, so that nobody fills the log by writing much. Units: 256 bytes at most.
  Event& excerpt(std::string_view key, std::string_view value);
  Event& excerpt(std::string_view key, const Secret& value) = delete;
  Event& number(std::string_view key, std::int64_t value);
  Event& reason(Reason reason) { return text("reason", row(reason).name); }

 private:
  Log& log_;
  std::string line_;
};

/// `2026-11-22T12:00:00.123Z` (RFC 3339).
std::string to_rfc3339(WallTime time);

}  // namespace sallyport
