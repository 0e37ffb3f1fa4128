#include "sallyport/http/date.h"

#include <doctest/doctest.h>

namespace sallyport::http {
namespace {

TEST_CASE("dates of HTTP") {
  CHECK(http_date(from_unix_seconds(784'111'777)) == "Sun, 06 Nov 1994 08:49:37 GMT");
  CHECK(http_date(WallTime{}) == "Thu, 01 Jan 1970 00:00:00 GMT");
  CHECK(http_date(from_unix_seconds(1'709'251'199) + std::chrono::milliseconds(999)) ==
        "Thu, 29 Feb 2024 23:59:59 GMT");
}

}  // namespace
}  // namespace sallyport::http
