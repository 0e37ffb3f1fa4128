#include "sallyport/http/date.h"

#include <chrono>
#include <cstdio>

namespace sallyport::http {

std::string http_date(WallTime time) {
  using namespace std::chrono;
  constexpr const char* days[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  constexpr const char* months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const auto day = floor<std::chrono::days>(time);
  const year_month_day date(day);
  const hh_mm_ss clock(floor<seconds>(time - day));
  char text[40];
  const int size =
      std::snprintf(text, sizeof text, "%s, %02u %s %04d %02d:%02d:%02d GMT", days[weekday(day).c_encoding()],
                    unsigned(date.day()), months[unsigned(date.month()) - 1], int(date.year()),
                    int(clock.hours().count()), int(clock.minutes().count()), int(clock.seconds().count()));
  return {text, static_cast<std::size_t>(size)};
}

}  // namespace sallyport::http
