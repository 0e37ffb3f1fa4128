#include "sallyport/auth/session/text.h"

#include <zlib.h>

#include <algorithm>
#include <array>
#include <chrono>

#include "sallyport/auth/session/data.h"
#include "sallyport/http/grammar.h"

namespace sallyport::auth::session {
namespace {

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// Takes `digits` decimal digits from the front.
std::optional<int> take_number(std::string_view& text, std::size_t digits) {
  if (text.size() < digits) return std::nullopt;
  int value = 0;
  for (const char c : text.substr(0, digits)) {
    if (c < '0' || c > '9') return std::nullopt;
    value = value * 10 + (c - '0');
  }
  text.remove_prefix(digits);
  return value;
}

bool take(std::string_view& text, std::string_view any) {
  if (text.empty() || any.find(text.front()) == std::string_view::npos) return false;
  text.remove_prefix(1);
  return true;
}

}  // namespace

Result<std::string> percent_decode(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out.push_back(text[i]);
      continue;
    }
    const int high = i + 2 < text.size() ? hex_digit(text[i + 1]) : -1;
    const int low = i + 2 < text.size() ? hex_digit(text[i + 2]) : -1;
    if (high < 0 || low < 0) return unsound("session cookie: a percent that begins no escape");
    out.push_back(static_cast<char>(high << 4 | low));
    i += 2;
  }
  return out;
}

Result<std::string> inflate(std::string_view text, std::size_t most) {
  z_stream stream{};
  if (inflateInit(&stream) != Z_OK) return Error{Reason::credential_invalid, "session: no memory to inflate it"};
  struct End {
    z_stream* stream;
    ~End() { inflateEnd(stream); }
  } const end{&stream};
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  std::string out;
  int state = Z_OK;
  while (state == Z_OK) {
    constexpr std::size_t piece = 4096;
    const std::size_t before = out.size();
    if (before > most) return unsound("session: inflates to more than " + std::to_string(most) + " bytes");
    out.resize(before + std::min(piece, most + 1 - before));
    stream.next_out = reinterpret_cast<Bytef*>(out.data() + before);
    stream.avail_out = static_cast<uInt>(out.size() - before);
    state = ::inflate(&stream, Z_NO_FLUSH);
    out.resize(out.size() - stream.avail_out);
  }
  if (out.size() > most) return unsound("session: inflates to more than " + std::to_string(most) + " bytes");
  if (state != Z_STREAM_END || stream.avail_in != 0) return unsound("session: not one whole zlib stream");
  return out;
}

std::optional<WallTime> parse_time(std::string_view text) {
  using namespace std::chrono;
  const auto year_number = take_number(text, 4);
  if (!year_number || !take(text, "-")) return std::nullopt;
  const auto month_number = take_number(text, 2);
  if (!month_number || !take(text, "-")) return std::nullopt;
  const auto day_number = take_number(text, 2);
  if (!day_number || !take(text, "T ")) return std::nullopt;
  const auto hour = take_number(text, 2);
  if (!hour || !take(text, ":")) return std::nullopt;
  const auto minute = take_number(text, 2);
  if (!minute || !take(text, ":")) return std::nullopt;
  const auto second = take_number(text, 2);
  if (!second || *hour > 23 || *minute > 59 || *second > 60) return std::nullopt;
  const year_month_day date(year(*year_number), month(static_cast<unsigned>(*month_number)),
                            day(static_cast<unsigned>(*day_number)));
  if (!date.ok()) return std::nullopt;
  milliseconds fraction(0);
  if (take(text, ".")) {
    const std::size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
    if (digits == 0 || digits > 9) return std::nullopt;
    milliseconds place(100);
    for (std::size_t i = 0; i < digits; ++i, place /= 10) fraction += place * (text[i] - '0');
    text.remove_prefix(digits);
  }
  minutes offset(0);
  if (!take(text, "Z") && !text.empty()) {
    const int sign = text.front() == '-' ? -1 : 1;
    if (!take(text, "+-")) return std::nullopt;
    const auto hours_away = take_number(text, 2);
    if (!hours_away) return std::nullopt;
    take(text, ":");
    const auto minutes_away = text.empty() ? std::optional<int>(0) : take_number(text, 2);
    if (!minutes_away || *hours_away > 23 || *minutes_away > 59) return std::nullopt;
    offset = minutes(sign * (*hours_away * 60 + *minutes_away));
  }
  if (!text.empty()) return std::nullopt;
  return WallTime(sys_days(date)) + hours(*hour) + minutes(*minute) + seconds(*second) + fraction - offset;
}

bool is_id(std::string_view text, std::size_t least, std::size_t most, std::string_view others) {
  return text.size() >= least && text.size() <= most && std::all_of(text.begin(), text.end(), [&](char c) {
           return http::is_alnum(c) || others.find(c) != std::string_view::npos;
         });
}

}  // namespace sallyport::auth::session
