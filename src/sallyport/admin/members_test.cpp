#include "sallyport/admin/members.h"

#include <doctest/doctest.h>

namespace sallyport::admin {
namespace {

using namespace std::chrono_literals;

const std::vector<std::string_view> known{"sub", "scopes", "ttl", "issued_before"};
const WallTime now = from_unix_seconds(1'800'000'000);

json::Value body_of(std::string_view text) { return json::parse(text).value(); }

template <class T>
std::string refusal(const Result<T>& result) {
  REQUIRE(!result.ok());
  CHECK(result.error().reason == Reason::request_invalid);
  return result.error().detail;
}

}  // namespace

TEST_CASE("a body is an object of known members") {
  CHECK(Members::make(body_of(R"({"sub":"alice"})"), known).ok());
  CHECK(Members::make(body_of("{}"), known).ok());
  CHECK(refusal(Members::make(body_of(R"({"sup":"alice"})"), known)) == R"(unknown member "sup"; did you mean "sub"?)");
  CHECK(refusal(Members::make(body_of(R"({"colour":1})"), known)) == R"(unknown member "colour")");
  CHECK(refusal(Members::make(body_of("[]"), known)) == "a JSON object expected");
  CHECK(refusal(Members::make(body_of("null"), known)) == "a JSON object expected");
}

TEST_CASE("a text is clean, bounded and not empty") {
  const auto read = [](std::string_view text) {
    const json::Value body = body_of(text);
    return Members::make(body, known).value().required_text("sub");
  };
  CHECK(read(R"({"sub":"alice"})").value() == "alice");
  CHECK(read(R"({"sub":"åsa n"})").value() == "åsa n");
  CHECK(read(R"({"sub":")" + std::string(512, 'a') + R"("})").ok());
  for (const char* bad : {R"({"sub":""})", R"({"sub":1})", R"({"sub":null})", R"({"sub":["alice"]})",
                          R"({"sub":" alice"})", R"({"sub":"alice "})", R"({"sub":"a\r\nX-Sallyport-Subject: root"})",
                          R"({"sub":"a\u0000b"})", R"({"sub":"a\u009bb"})"}) {
    CAPTURE(bad);
    CHECK(refusal(read(bad)).find("member \"sub\"") == 0);
  }
  CHECK(!read(R"({"sub":")" + std::string(513, 'a') + R"("})").ok());
  CHECK(refusal(read("{}")) == R"(member "sub" is missing)");
}

TEST_CASE("words are texts without spaces") {
  const auto read = [](std::string_view text) {
    const json::Value body = body_of(text);
    return Members::make(body, known).value().words("scopes");
  };
  CHECK(read("{}").value().empty());
  CHECK(read(R"({"scopes":["a","b.c"]})").value() == std::vector<std::string>{"a", "b.c"});
  for (const char* bad : {R"({"scopes":"a"})", R"({"scopes":[1]})", R"({"scopes":["a b"]})", R"({"scopes":[""]})",
                          R"({"scopes":["a\n"]})"}) {
    CAPTURE(bad);
    refusal(read(bad));
  }
  const auto many = [&](std::size_t count) {
    std::string text = R"({"scopes":["a")";
    for (std::size_t i = 1; i < count; ++i) text += R"(,"a")";
    return read(text + "]}");
  };
  CHECK(many(256).ok());
  refusal(many(257));
}

TEST_CASE("a duration is text or seconds, within its bounds") {
  const auto read = [](std::string_view text) {
    const json::Value body = body_of(text);
    return Members::make(body, known).value().duration("ttl", 1h, 24h);
  };
  CHECK(read("{}").value() == 1h);
  CHECK(read(R"({"ttl":"90m"})").value() == 90min);
  CHECK(read(R"({"ttl":1})").value() == 1s);
  CHECK(read(R"({"ttl":86400})").value() == 24h);
  for (const char* bad : {R"({"ttl":0})", R"({"ttl":-1})", R"({"ttl":86401})", R"({"ttl":"25h"})", R"({"ttl":"500ms"})",
                          R"({"ttl":"1"})", R"({"ttl":1.5})", R"({"ttl":true})", R"({"ttl":null})"}) {
    CAPTURE(bad);
    CHECK(refusal(read(bad)).find("from 1s to 1d") != std::string::npos);
  }
}

TEST_CASE("a time is now or seconds since 1970") {
  const auto read = [](std::string_view text) {
    const json::Value body = body_of(text);
    return Members::make(body, known).value().time("issued_before", now);
  };
  CHECK(!read("{}").value().has_value());
  CHECK(read(R"({"issued_before":"now"})").value() == now);
  CHECK(read(R"({"issued_before":1700000000})").value() == from_unix_seconds(1'700'000'000));
  for (const char* bad :
       {R"({"issued_before":"later"})", R"({"issued_before":-1})", R"({"issued_before":253402300800})",
        R"({"issued_before":1.5})", R"({"issued_before":null})"}) {
    CAPTURE(bad);
    refusal(read(bad));
  }
}

}  // namespace sallyport::admin
