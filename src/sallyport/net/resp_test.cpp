#include "sallyport/net/resp.h"

#include <doctest/doctest.h>

#include <string>

namespace sallyport::net {
namespace {

RespReply parsed(std::string_view bytes) {
  const auto result = parse_resp(bytes);
  REQUIRE(result.ok());
  REQUIRE(result->has_value());
  CHECK((*result)->size == bytes.size());
  return (*result)->reply;
}

TEST_CASE("resp: each type is read") {
  CHECK(parsed("+OK\r\n").text == "OK");
  CHECK(parsed("-ERR no\r\n").kind == RespReply::Kind::error);
  CHECK(parsed(":-2\r\n").integer == -2);
  CHECK(parsed("$5\r\na\r\nbc\r\n").text == "a\r\nbc");
  CHECK(parsed("$0\r\n\r\n").kind == RespReply::Kind::bulk);
  CHECK(parsed("$-1\r\n").kind == RespReply::Kind::nil);
  CHECK(parsed("*-1\r\n").kind == RespReply::Kind::nil);
  const RespReply array = parsed("*2\r\n$1\r\na\r\n*1\r\n:1\r\n");
  REQUIRE(array.items.size() == 2);
  CHECK(array.items[1].items[0].integer == 1);
}

TEST_CASE("resp: an answer that is cut off anywhere is not complete, and what follows it is left") {
  const std::string whole = "*3\r\n$2\r\nab\r\n-ERR\r\n*1\r\n$-1\r\n";
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const auto result = parse_resp(std::string_view(whole).substr(0, size));
    REQUIRE(result.ok());
    CHECK(!result->has_value());
  }
  const auto result = parse_resp(whole + ":1\r\n");
  REQUIRE(result.ok());
  CHECK((*result)->size == whole.size());
}

TEST_CASE("resp: what is no answer is refused") {
  const std::string bad[] = {"HTTP/1.1 400\r\n",
                             "$x\r\n",
                             "$-2\r\n",
                             "*-7\r\n",
                             ":\r\n",
                             ":1 \r\n",
                             "$1\r\nab\r\n",
                             "$99999999999\r\n",
                             "*100001\r\n",
                             "*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n",
                             "+" + std::string(70'000, 'x')};
  for (const std::string& bytes : bad) {
    CAPTURE(bytes.substr(0, 30));
    const auto result = parse_resp(bytes);
    REQUIRE(!result.ok());
    CHECK(result.error().reason == Reason::upstream_protocol);
  }
}

TEST_CASE("resp: a command carries any bytes as they are") {
  CHECK(resp_command({"GET", std::string_view("a\r\n$\0", 5)}) ==
        std::string("*2\r\n$3\r\nGET\r\n$5\r\na\r\n$\0\r\n", 24));
}

}  // namespace
}  // namespace sallyport::net
