#include "sallyport/auth/session/sources/redis.h"

#include <doctest/doctest.h>

#include "sallyport/auth/session/sources/memcached.h"

namespace sallyport::auth {
namespace {

TEST_CASE("redis: notifications that are missing are named") {
  for (const char* flags : {"KEA", "AK", "Kg$xe", "gxe$K", "Kghlszxe$d"})
    CHECK(missing_notifications(flags, RedisKind::text).empty());
  CHECK(missing_notifications("Kghxe", RedisKind::hash).empty());
  for (const char* flags : {"", "EA", "K", "Kg$x", "Kghxe", "gxe$E"}) {
    CAPTURE(flags);
    const std::string words = missing_notifications(flags, RedisKind::text);
    CHECK(words.find(std::string("'") + flags + "'") != std::string::npos);
    CHECK(words.find("Kg$xe") != std::string::npos);
  }
  CHECK(!missing_notifications("Kg$xe", RedisKind::hash).empty());
}

TEST_CASE("redis: a prefix is no pattern") {
  CHECK(escape_pattern("sess:") == "sess:");
  CHECK(escape_pattern("a*b?[c]\\") == "a\\*b\\?\\[c\\]\\\\");
}

MetaAnswer parsed(std::string_view bytes) {
  const auto answer = parse_meta_answer(bytes);
  REQUIRE(answer.ok());
  REQUIRE(answer->has_value());
  CHECK((*answer)->size == bytes.size());
  return **answer;
}

TEST_CASE("memcached: values, misses and troubles are told apart") {
  const MetaAnswer value = parsed("VA 5 t30\r\na\r\nbc\r\n");
  CHECK(value.kind == MetaAnswer::Kind::value);
  CHECK(value.data == "a\r\nbc");
  CHECK(value.seconds_left == 30);
  CHECK(!parsed("VA 0 t-1\r\n\r\n").seconds_left);
  CHECK(!parsed("VA 1 W\r\nx\r\n").seconds_left);
  CHECK(parsed("EN\r\n").kind == MetaAnswer::Kind::miss);
  CHECK(parsed("SERVER_ERROR out of memory\r\n").data == "SERVER_ERROR out of memory");
  CHECK(parsed("ERROR\r\n").kind == MetaAnswer::Kind::trouble);
}

TEST_CASE("memcached: an answer that is cut off anywhere is not complete") {
  const std::string whole = "VA 5 t30\r\nhello\r\n";
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const auto answer = parse_meta_answer(std::string_view(whole).substr(0, size));
    REQUIRE(answer.ok());
    CHECK(!answer->has_value());
  }
}

TEST_CASE("memcached: what is no answer is refused") {
  const std::string bad[] = {"HELLO\r\n",
                             "VA\r\n",
                             "VA x t1\r\n",
                             "VA -1 t1\r\n",
                             "VA 99999999999 t1\r\n",
                             "VA 1 tx\r\n",
                             "VA 1 t1\r\nabc\r\n",
                             "VA 1 t99999999999999\r\n",
                             std::string(3000, 'a')};
  for (const std::string& bytes : bad) {
    CAPTURE(bytes.substr(0, 30));
    const auto answer = parse_meta_answer(bytes);
    REQUIRE(!answer.ok());
    CHECK(answer.error().reason == Reason::upstream_protocol);
  }
}

}  // namespace
}  // namespace sallyport::auth
