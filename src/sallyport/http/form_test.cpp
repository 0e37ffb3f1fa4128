#include "sallyport/http/form.h"

#include <doctest/doctest.h>

namespace sallyport::http {
namespace {

std::string value_of(std::string_view text, std::string_view name) {
  const auto form = parse_form(text);
  REQUIRE(form.ok());
  const std::string* value = form->find(name);
  return value ? *value : "(none)";
}

TEST_CASE("form: names and values, decoded") {
  CHECK(value_of("grant_type=refresh_token&scope=a+b", "grant_type") == "refresh_token");
  CHECK(value_of("grant_type=refresh_token&scope=a+b", "scope") == "a b");
  CHECK(value_of("a=%C3%A9%26%3d%2B", "a") == "\xc3\xa9&=+");
  CHECK(value_of("%61=1", "a") == "1");
  CHECK(value_of("a=b=c", "a") == "b=c");
  CHECK(value_of("a=%0d%0a%09", "a") == "\r\n\t");
  CHECK(value_of("&&a=1&&", "a") == "1");
  CHECK(value_of("", "a") == "(none)");
}

TEST_CASE("form: a parameter without a value is as good as none") {
  CHECK(value_of("a=&b=1", "a") == "(none)");
  CHECK(value_of("a&b=1", "a") == "(none)");
  CHECK(value_of("a&b=1", "b") == "1");
}

TEST_CASE("form: what no browser writes is refused") {
  for (const std::string_view text : {
           std::string_view("a=1&a=2"),
           std::string_view("a&a="),
           std::string_view("a=1&%61=2"),
           std::string_view("a=%"),
           std::string_view("a=%4"),
           std::string_view("a=%4g"),
           std::string_view("a=%00"),
           std::string_view("a=%7f"),
           std::string_view("a=%1b"),
           std::string_view("a=b c"),
           std::string_view("a=\n"),
           std::string_view("a=\xc3\xa9"),
           std::string_view("a=\0", 3),
           std::string_view("a=%ff"),
           std::string_view("a=%C3"),
           std::string_view("a=%ED%A0%80"),
       }) {
    INFO(text);
    const auto form = parse_form(text);
    REQUIRE_FALSE(form.ok());
    CHECK(form.error().reason == Reason::request_invalid);
  }
}

TEST_CASE("form: as many parameters as the limit and no more") {
  std::string text;
  for (int i = 0; i < 64; ++i) text += "p" + std::to_string(i) + "=1&";
  CHECK(parse_form(text)->size() == 64);
  CHECK_FALSE(parse_form(text + "one-more=1").ok());
}

}  // namespace
}  // namespace sallyport::http
