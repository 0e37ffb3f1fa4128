#include "sallyport/http/cookie.h"

#include <doctest/doctest.h>

namespace sallyport::http {
namespace {

TEST_CASE("a cookie is found by its exact name, over all lines") {
  const Headers headers{{"Cookie", "a=1; sid=x=y;b=\"q\""}, {"cookie", "  c = 3 ; d"}};
  const Cookies cookies(headers);
  CHECK(cookies.all().size() == 5);
  CHECK(cookies.find("sid").value() == "x=y");
  CHECK(cookies.find("b").value() == "\"q\"");
  CHECK(cookies.find("c").value() == "3");
  CHECK(cookies.find("SID").value() == std::nullopt);
  CHECK(cookies.find("d").value() == std::nullopt);
  CHECK(cookies.find("").value() == std::nullopt);
  CHECK(Cookies(Headers{}).find("sid").value() == std::nullopt);
}

TEST_CASE("the same cookie twice is ambiguous, when it is asked for") {
  for (const Headers& headers :
       {Headers{{"Cookie", "sid=a; x=1; sid=b"}}, Headers{{"Cookie", "sid=a; x=1"}, {"Cookie", "sid=a"}}}) {
    const Cookies cookies(headers);
    REQUIRE(!cookies.find("sid").ok());
    CHECK(cookies.find("sid").error().reason == Reason::credential_ambiguous);
    CHECK(cookies.find("x").value() == "1");
  }
}

TEST_CASE("a value outside the grammar is invalid, when it is asked for") {
  for (const char* value : {"a b", "a,b", "a\\b", "\"a", "a\"b", "\xc3\xbc", "a\tb"}) {
    const Headers headers{{"Cookie", "sid=" + std::string(value) + "; x=1"}};
    const Cookies cookies(headers);
    CAPTURE(value);
    REQUIRE(!cookies.find("sid").ok());
    CHECK(cookies.find("sid").error().reason == Reason::credential_invalid);
    CHECK(cookies.find("x").value() == "1");
  }
}

TEST_CASE("quotes hide nothing") {
  const Headers headers{{"Cookie", "$Version=1; a=\"x; sid=evil; b=y\""}};
  CHECK(Cookies(headers).find("sid").value() == "evil");
}

TEST_CASE("the rest is rebuilt without the named ones, twins included") {
  const Headers headers{{"Cookie", "a=1; sid=x; b=2"}, {"Cookie", "sid = y; c"}};
  const std::string names[] = {"sid"};
  CHECK(Cookies(headers).without_cookies(names) == "a=1; b=2; c");
  const std::string all[] = {"sid", "a", "b", ""};
  CHECK(Cookies(headers).without_cookies(all).empty());
}

}  // namespace
}  // namespace sallyport::http
