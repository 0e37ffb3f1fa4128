#include "sallyport/protocol/json/pointer.h"

#include <doctest/doctest.h>

namespace sallyport::protocol {
namespace {

using Names = std::vector<std::string>;

TEST_CASE("pointer: names from the root down") {
  CHECK(JsonPointer::parse("/type")->names() == Names{"type"});
  CHECK(JsonPointer::parse("/payload/room id/0")->names() == Names{"payload", "room id", "0"});
  CHECK(JsonPointer::parse("/a~1b/~0~01")->names() == Names{"a/b", "~~1"});
  CHECK(JsonPointer::parse("/1/2/3/4/5/6/7/8")->names().size() == 8);
}

TEST_CASE("pointer: what is none, or cannot be told for certain in every parser") {
  for (const std::string text : {"", "type", "#/type", "/", "/a/", "//a", "/a~", "/a~2", "/a~/b", "/t\xc3\xbfpe",
                                 "/a\tb", "/1/2/3/4/5/6/7/8/9"}) {
    CAPTURE(text);
    const auto parsed = JsonPointer::parse(text);
    REQUIRE(!parsed.ok());
    CHECK(parsed.error().reason == Reason::config_invalid);
    CHECK(!parsed.error().detail.empty());
  }
  CHECK(JsonPointer::parse("/" + std::string(64, 'x')).ok());
  CHECK(!JsonPointer::parse("/" + std::string(65, 'x')).ok());
}

TEST_CASE("pointer: one place inside another") {
  const JsonPointer outer = JsonPointer::parse("/a/b").value();
  CHECK(outer.covers(outer));
  CHECK(outer.covers(JsonPointer::parse("/a/b/c").value()));
  CHECK(!outer.covers(JsonPointer::parse("/a").value()));
  CHECK(!outer.covers(JsonPointer::parse("/a/bc").value()));
}

}  // namespace
}  // namespace sallyport::protocol
