#include "sallyport/http/target.h"

#include <doctest/doctest.h>

namespace sallyport::http {
namespace {

std::string path(std::string_view text) {
  auto out = parse_path(text);
  if (!out.ok()) return std::string(row(out.error().reason).name);
  CHECK(parse_path(*out).value() == *out);
  return *out;
}

TEST_CASE("a path has one spelling") {
  CHECK(path("/") == "/");
  CHECK(path("/ws/echo/") == "/ws/echo/");
  CHECK(path("/%61dmin") == "/admin");
  CHECK(path("/a%3ab%2Cc") == "/a%3Ab%2Cc");
  CHECK(path("/a:b,c") == "/a:b,c");
  CHECK(path("/d%c3%bcsseldorf") == "/d%C3%BCsseldorf");
  CHECK(path("/a%20b") == "/a%20b");
  CHECK(path("/.well-known/x") == "/.well-known/x");
  CHECK(path("/a..b") == "/a..b");
  CHECK(path("/100%25") == "/100%25");
}

TEST_CASE("a path that some backend reads as another is refused") {
  for (const char* text : {"",        "a",         "/.",         "/..",     "/./a",          "/a/../b", "/a/..",
                           "/%2e/a",  "/%2E%2e/a", "/.%2e/a",    "/a%2fb",  "/a%2Fb",        "/a%5cb",  "/a\\b",
                           "//",      "//a",       "/a//b",      "/a.",     "/a./b",         "/a%20",   "/a%20/b",
                           "/a%2e",   "/...",      "/%",         "/%4",     "/%zz",          "/%00",    "/%0d%0a",
                           "/%7f",    "/a;b",      "/..;/a",     "/a%3bb",  "/%252e%252e/a", "/%252fa", "/%25%32e",
                           "/%c0%af", "/%ff",      "/%ed%a0%80", "/%e2%82", "/a\"b",         "/a<b",    "/a|b",
                           "/a^b",    "/a#b",      "/a b"}) {
    CAPTURE(text);
    CHECK(path(text) == "http.malformed");
  }
}

TEST_CASE("a query is kept as it is or refused") {
  for (const char* text : {"", "a=1&b=2", "q=%20%C3%BC", "j={\"", "a#b", "a=%", "a=%0", "a=%00", "a=<"}) {
    CAPTURE(text);
    const std::string_view view = text;
    const bool good =
        view.find_first_of("#<\"") == std::string_view::npos && view != "a=%" && view != "a=%0" && view != "a=%00";
    auto out = parse_query(text);
    CHECK(out.ok() == good);
    if (out.ok()) CHECK(out->text() == text);
    if (!out.ok()) CHECK(out.error().reason == Reason::http_malformed);
  }
  CHECK(parse_query("q=a?b/[c]|{d}\\^`").ok());
}

TEST_CASE("parameters are found and taken out by their decoded name") {
  const Query query = parse_query("a=1&&tok%65n=x%2By+z&b&=c").value();
  CHECK(query.parameters().size() == 4);
  CHECK(query.find("token").value() == "x+y z");
  CHECK(query.find("b").value() == "");
  CHECK(query.find("none").value() == std::nullopt);
  const std::string names[] = {"token"};
  CHECK(query.without_parameters(names) == "a=1&b&=c");
  CHECK(query.without_parameters({}) == "a=1&tok%65n=x%2By+z&b&=c");
}

TEST_CASE("a parameter that is there twice is ambiguous") {
  const Query query = parse_query("token=a&x=1&%74oken=a").value();
  REQUIRE(!query.find("token").ok());
  CHECK(query.find("token").error().reason == Reason::credential_ambiguous);
  CHECK(query.find("x").ok());
  const std::string names[] = {"token", "x"};
  CHECK(query.without_parameters(names).empty());
}

}  // namespace
}  // namespace sallyport::http
