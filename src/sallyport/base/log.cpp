#include "sallyport/base/log.h"

#include <cstdio>
#include <ctime>

#include "sallyport/base/json.h"

namespace sallyport {

Event::Event(Log& log, WallTime at, Level level, std::string_view name) : log_(log) {
  static constexpr std::string_view levels[] = {"info", "warning", "error"};
  line_.reserve(256);
  line_ += "{\"time\":\"";
  line_ += to_rfc3339(at);
  line_ += "\",\"level\":\"";
  line_ += levels[static_cast<std::size_t>(level)];
  line_ += "\",\"event\":\"";
  line_ += name;
  line_ += '"';
}

Event::~Event() {
  line_ += "}\n";
  log_.write(line_);
}

Event& Event::text(std::string_view key, std::string_view value) {
  if (value.empty()) return *this;
  line_ += ",\"";
  line_ += key;
  line_ += "\":";
  json::append_quoted(line_, value);
  return *this;
}

Event& Event::excerpt(std::string_view key, std::string_view value) {
  constexpr std::size_t most = 256;
  if (value.size() <= most) return text(key, value);
  return text(key, std::string(value.substr(0, most)) + "...");
}

Event& Event::number(std::string_view key, std::int64_t value) {
  line_ += ",\"";
  line_ += key;
  line_ += "\":";
  line_ += std::to_string(value);
  return *this;
}

std::string to_rfc3339(WallTime time) {
  const std::int64_t ms = to_unix_ms(time);
  const std::time_t seconds = static_cast<std::time_t>(to_unix_seconds(time));
  std::tm parts{};
  ::gmtime_r(&seconds, &parts);
  char text[96];
  std::snprintf(text, sizeof text, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", parts.tm_year + 1900, parts.tm_mon + 1,
                parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec, static_cast<int>(ms - seconds * 1000));
  return text;
}

}  // namespace sallyport
