#include "sallyport/ws/close.h"

#include <doctest/doctest.h>

namespace sallyport::ws {
namespace {

using namespace std::string_view_literals;

TEST_CASE("close codes that may be on the wire") {
  for (const int code :
       {1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4401, 4999}) {
    CHECK(is_valid_on_wire(static_cast<std::uint16_t>(code)));
  }
  for (const int code : {0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535}) {
    CHECK_FALSE(is_valid_on_wire(static_cast<std::uint16_t>(code)));
  }
}

TEST_CASE("every close code of the reason table fits, and so does what is told") {
  for (const ReasonRow& reason : reason_table) {
    CHECK((is_valid_on_wire(reason.close_code) || reason.close_code == close_code::abnormal));
    CHECK(reason.told.size() <= max_close_reason);
  }
}

TEST_CASE("close payloads") {
  CHECK_FALSE(parse_close_payload({})->code.has_value());
  const auto info = parse_close_payload(bytes_of("\x0b\xb8ok \xc3\xa4"sv));
  REQUIRE(info.ok());
  CHECK(info->code == 3000);
  CHECK(info->reason == "ok \xc3\xa4");
  CHECK(parse_close_payload(bytes_of("\x03\xe8" + std::string(123, 'x'))).ok());

  CHECK(parse_close_payload(bytes_of("\x03"sv)).error().reason == Reason::frame_malformed);
  CHECK(parse_close_payload(bytes_of("\x03\xed"sv)).error().reason == Reason::frame_malformed);
  CHECK(parse_close_payload(bytes_of("\x03\xe8" + std::string(124, 'x'))).error().reason == Reason::frame_malformed);
  CHECK(parse_close_payload(bytes_of("\x03\xe8\xff"sv)).error().reason == Reason::message_not_utf8);
  CHECK(parse_close_payload(bytes_of("\x03\xe8\xc3"sv)).error().reason == Reason::message_not_utf8);
}

}  // namespace
}  // namespace sallyport::ws
