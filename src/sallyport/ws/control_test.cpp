#include "sallyport/ws/control.h"

#include <doctest/doctest.h>

namespace sallyport::ws {
namespace {

using namespace std::string_view_literals;

bool ours(std::string_view text) { return is_control_text(bytes_of(text)); }

TEST_CASE("control texts are recognised in every spelling of the name") {
  for (const std::string_view text :
       {R"({"$sallyport":{"op":"refresh","token":"t"}})", R"({"$sallyport")", " \t\r\n{\n \"$sallyport\" : 1}",
        R"({"\u0024sallyport":{}})", R"({"$\u0073\u0061llyport":{}})", R"({"$sallypor\u0074":{}})",
        R"({"\u0024\u0053":1,"$sallyport":1})", R"({"\$sallyport":{}})", R"({"$sallyport":{}} trailing)",
        R"({"$sallyport":1,"other":2})"}) {
    CAPTURE(text);
    CHECK(ours(text) == (text.find("u0053") == std::string_view::npos));
  }
}

TEST_CASE("other texts are the application's") {
  for (const std::string_view text : {""sv,
                                      " "sv,
                                      "{"sv,
                                      "{}"sv,
                                      "{ \""sv,
                                      "[\"$sallyport\"]"sv,
                                      "\"$sallyport\""sv,
                                      R"({"type":"x","$sallyport":{}})"sv,
                                      R"({"$sallyport2":{}})"sv,
                                      R"({"$sallypor":{}})"sv,
                                      R"({"sallyport":{}})"sv,
                                      R"({"$Sallyport":{}})"sv,
                                      R"({"\u0124sallyport":{}})"sv,
                                      R"({"\u24sallyport":{}})"sv,
                                      R"({"\u002)"sv,
                                      R"({"\)"sv,
                                      R"({"$sallyport\u0022":{}})"sv,
                                      R"({"$sallypo\rt":{}})"sv,
                                      R"({'$sallyport':{}})"sv,
                                      "\xef\xbb\xbf{\"$sallyport\":{}}"sv,
                                      "\v{\"$sallyport\":{}}"sv,
                                      "hello"sv}) {
    CAPTURE(text);
    CHECK_FALSE(ours(text));
  }
}

TEST_CASE("a text passes for a notice when its object has the name in any place and spelling") {
  for (const std::string_view text :
       {R"({"$sallyport":{"op":"ready"}})", R"({"type":"x","$sallyport":{}})", R"({"a":{"b":[1,{}]},"$sallyport":{}})",
        R"({"a":"}","\u0024sallyport":{}})", R"({"a":"\"","$sallyport":{}})", R"({"a":[],"$sallyport")",
        "\n{\"a\":1 ,\n\"$sallyport\" : {}}", R"({"a":"\\","$sallyport":{}})",
        R"({"\u0024\u0053":1,"$sallyport":1})"}) {
    CAPTURE(text);
    CHECK(may_pass_for_notice(bytes_of(text)));
  }
  for (const std::string_view text :
       {""sv, "{"sv, R"({"\)"sv, R"(["$sallyport"])"sv, R"({"type":"$sallyport"})"sv,
        R"({"type":"x","text":"$sallyport"})"sv, R"({"type":"x","data":{"$sallyport":{}}})"sv,
        R"({"type":["x","$sallyport"]})"sv, R"({"type":"\",\"$sallyport\":{}"})"sv, R"({"type":"x","$Sallyport":{}})"sv,
        R"({}{"$sallyport":{}})"sv, R"({"a":"\u0024","sallyport":{}})"sv}) {
    CAPTURE(text);
    CHECK_FALSE(may_pass_for_notice(bytes_of(text)));
  }
}

TEST_CASE("control requests: the two that exist") {
  const auto authenticate = parse_control(bytes_of(R"({"$sallyport":{"op":"authenticate","token":"abc"}})"));
  REQUIRE(authenticate.ok());
  CHECK(authenticate->op == ControlRequest::Op::authenticate);
  CHECK(authenticate->token.reveal() == "abc");
  const auto refresh =
      parse_control(bytes_of(R"( { "\u0024sallyport" : { "token" : "d\u0065f", "op" : "refresh" } } )"));
  REQUIRE(refresh.ok());
  CHECK(refresh->op == ControlRequest::Op::refresh);
  CHECK(refresh->token.reveal() == "def");
}

TEST_CASE("control requests: everything else is refused") {
  for (const std::string_view text :
       {R"({"$sallyport":{"op":"refresh","token":"t"}} x)", R"({"$sallyport":{"op":"refresh","token":"t"},"id":1})",
        R"({"$sallyport":{"op":"refresh","token":"t"},"$sallyport":{"op":"refresh","token":"u"}})",
        R"({"$sallyport":{"op":"refresh","token":"t","token":"u"}})",
        R"({"$sallyport":{"op":"refresh","token":"t","extra":1}})", R"({"$sallyport":{"op":"refresh"}})",
        R"({"$sallyport":{"op":"refresh","token":""}})", R"({"$sallyport":{"op":"refresh","token":1}})",
        R"({"$sallyport":{"op":"Refresh","token":"t"}})", R"({"$sallyport":{"op":"ready","token":"t"}})",
        R"({"$sallyport":{"token":"t","more":"u"}})", R"({"$sallyport":"refresh"})", R"({"$sallyport":[]})",
        R"({"$sallyport":{"op":"refresh","token":"t"})", R"({"\$sallyport":{"op":"refresh","token":"t"}})",
        R"({"other":{"op":"refresh","token":"t"}})", R"([])", ""}) {
    CAPTURE(text);
    const auto request = parse_control(bytes_of(text));
    REQUIRE_FALSE(request.ok());
    CHECK(request.error().reason == Reason::control_malformed);
    CHECK(request.error().detail.find("\"t\"") == std::string::npos);
  }
}

TEST_CASE("notices are what the contract shows, and control texts themselves") {
  CHECK(ready_notice("c1", "al\"ice", 1760000000) ==
        R"({"$sallyport":{"op":"ready","connection":"c1","subject":"al\"ice","expires_at":1760000000}})");
  CHECK(ready_notice("c1", "alice", {}, "spt_x") ==
        R"({"$sallyport":{"op":"ready","connection":"c1","subject":"alice","session":"spt_x"}})");
  CHECK(ready_notice("c1", "alice", {}) == R"({"$sallyport":{"op":"ready","connection":"c1","subject":"alice"}})");
  CHECK(expiring_notice(5) == R"({"$sallyport":{"op":"expiring","expires_at":5}})");
  CHECK(refreshed_notice(6) == R"({"$sallyport":{"op":"refreshed","expires_at":6}})");
  CHECK(denied_notice(Reason::limit_message_rate, json::Value("m1")) ==
        R"({"$sallyport":{"op":"denied","reason":"limit.message_rate","id":"m1"}})");
  CHECK(denied_notice(Reason::limit_message_rate, {}) ==
        R"({"$sallyport":{"op":"denied","reason":"limit.message_rate"}})");
  CHECK(ours(expiring_notice(5)));
}

}  // namespace
}  // namespace sallyport::ws
