#include "sallyport/auth/opening/opening.h"

#include <doctest/doctest.h>

namespace sallyport::auth {
namespace {

using std::string_literals::operator""s;
using Protocol = OpeningProtocol;
using Kind = FirstMessage::Kind;

Result<Opening> read(Protocol protocol, const std::string& content, Kind kind = Kind::text,
                     std::string_view where = {}) {
  return parse_opening(protocol, where.empty() ? usual_place(protocol) : where, {kind, bytes_of(content)});
}
// `TOKEN < what the backend gets`, or the reason.
std::string verdict(Protocol protocol, const std::string& content, Kind kind = Kind::text,
                    std::string_view where = {}) {
  const Result<Opening> opening = read(protocol, content, kind, where);
  if (!opening.ok()) return std::string(row(opening.error().reason).name);
  return std::string(opening->token.reveal()) + " < " + opening->for_backend.value_or("nothing");
}

std::string field(std::string_view text) {
  return std::string{static_cast<char>(text.size() >> 8), static_cast<char>(text.size() & 0xff)}.append(text);
}
// A packet of less than 128 bytes.
std::string packet(std::string_view body) { return std::string{'\x10', static_cast<char>(body.size())}.append(body); }
std::string connect(char flags, std::string_view rest, char level = 4) {
  const std::string properties = level == 5 ? std::string(1, '\0') : std::string();
  return packet(field("MQTT") + level + flags + "\0\x3c"s + properties + field("dev") + std::string(rest));
}
std::string mqtt(const std::string& content, std::string_view where = {}) {
  return verdict(Protocol::mqtt, content, Kind::binary, where);
}

TEST_CASE("opening: json") {
  CHECK(verdict(Protocol::json, R"({"a":1,"token":"abc","b":[2]})") == R"(abc < {"a":1,"b":[2]})");
  CHECK(verdict(Protocol::json, R"({"token":"bEARER abc"})") == "abc < {}");
  CHECK(verdict(Protocol::json, R"({"auth":{"t":["abc",1]}})", Kind::text, "/auth/t/0") ==
        R"(abc < {"auth":{"t":[null,1]}})");
  CHECK(verdict(Protocol::json, R"({"a":1})") == "credential.missing");
  CHECK(verdict(Protocol::json, R"({"token":""})") == "credential.missing");
  CHECK(verdict(Protocol::json, R"({"token":"Bearer "})") == "credential.missing");
  CHECK(verdict(Protocol::json, R"({"token":1})") == "message.malformed");
  CHECK(verdict(Protocol::json, R"({"token":"a","token":"b"})") == "message.malformed");
  CHECK(verdict(Protocol::json, R"(["abc"])") == "message.malformed");
  CHECK(verdict(Protocol::json, "hello") == "message.malformed");
  CHECK(verdict(Protocol::json, R"({"token":"abc"})", Kind::binary) == "message.malformed");
}

TEST_CASE("opening: graphql-ws") {
  CHECK(verdict(Protocol::graphql_ws, R"({"type":"connection_init","payload":{"token":"abc"}})") ==
        R"(abc < {"type":"connection_init","payload":{}})");
  CHECK(verdict(Protocol::graphql_ws, R"({"type":"connection_init","payload":{"Authorization":"Bearer abc"}})",
                Kind::text, "/payload/Authorization") == R"(abc < {"type":"connection_init","payload":{}})");
  CHECK(verdict(Protocol::graphql_ws, R"({"type":"connection_init"})") == "credential.missing");
  CHECK(verdict(Protocol::graphql_ws, R"({"type":"subscribe","payload":{"token":"abc"}})") == "message.malformed");
  CHECK(verdict(Protocol::graphql_ws, R"({"payload":{"token":"abc"}})") == "message.malformed");
}

TEST_CASE("opening: socketio") {
  CHECK(verdict(Protocol::socketio, R"(40{"token":"abc","x":1})") == R"(abc < 40{"x":1})");
  CHECK(verdict(Protocol::socketio, R"(40/admin,{"token":"abc"})") == "abc < 40/admin,{}");
  CHECK(verdict(Protocol::socketio, "40") == "credential.missing");
  CHECK(verdict(Protocol::socketio, "40/admin") == "credential.missing");
  CHECK(verdict(Protocol::socketio, "40/admin,") == "credential.missing");
  CHECK(verdict(Protocol::socketio, R"(40/admin?a={,{"token":"abc"})") == "message.malformed");
  CHECK(verdict(Protocol::socketio, R"(42["hello",{"token":"abc"}])") == "message.malformed");
  CHECK(verdict(Protocol::socketio, "2probe") == "message.malformed");
  crypto::FakeRandom random;
  CHECK(greeting(Protocol::socketio, random)->starts_with("0{\"sid\":\""));
  CHECK(!greeting(Protocol::stomp, random));
}

TEST_CASE("opening: stomp") {
  const auto stomp = [](const std::string& frame, std::string_view where = {}) {
    return verdict(Protocol::stomp, frame, Kind::text, where);
  };
  CHECK(stomp("CONNECT\nhost:x\nAuthorization:Bearer abc\n\n\0"s) == "abc < CONNECT\nhost:x\n\n\0"s);
  CHECK(stomp("STOMP\r\nAuthorization:abc\r\nhost:x:y\r\n\r\n\0\r\n\n"s) == "abc < STOMP\nhost:x:y\n\n\0"s);
  CHECK(stomp("CONNECT\nlogin:me\npasscode:abc\n\n\0"s, "passcode") == "abc < CONNECT\nlogin:me\n\n\0"s);
  CHECK(verdict(Protocol::stomp, "CONNECT\nAuthorization:abc\n\n\0"s, Kind::binary) == "abc < CONNECT\n\n\0"s);
  CHECK(stomp("CONNECT\nhost:x\n\n\0"s) == "credential.missing");
  CHECK(stomp("CONNECT\nAuthorization:\n\n\0"s) == "credential.missing");
  CHECK(stomp("CONNECT\nAuthorization:a\nAuthorization:b\n\n\0"s) == "message.malformed");
  CHECK(stomp("SEND\nAuthorization:a\n\n\0"s) == "message.malformed");
  CHECK(stomp("CONNECT\nAuthorization:a\n\n"s) == "message.malformed");
  CHECK(stomp("CONNECT\nAuthorization:a"s) == "message.malformed");
  CHECK(stomp("CONNECT\nAuthorization:a\n\nbody\0"s) == "message.malformed");
  CHECK(stomp("CONNECT\nAuthorization:a\ncontent-length:3\n\n\0"s) == "message.malformed");
  CHECK(stomp("CONNECT\nAuthorization:a\n\n\0SEND\n\n\0"s) == "message.malformed");
  CHECK(stomp("CONNECT\nAuthorization:a\rb\n\n\0"s) == "message.malformed");
  CHECK(stomp("CONNECT\n:a\n\n\0"s) == "message.malformed");
  CHECK(stomp("CONNECT\nno colon\n\n\0"s) == "message.malformed");
}

TEST_CASE("opening: mqtt") {
  const std::string me = field("me");
  CHECK(mqtt(connect('\xc2', me + field("abc"))) == "abc < " + connect('\x82', me));
  CHECK(mqtt(connect('\xc2', me + field("abc"), 5)) == "abc < " + connect('\x82', me, 5));
  CHECK(mqtt(connect('\x42', field("abc"), 5)) == "abc < " + connect('\x02', "", 5));
  CHECK(mqtt(connect('\xc2', field("abc") + field("")), "username") == "abc < " + connect('\x02', ""));
  const std::string will = field("topic") + field("bye");
  CHECK(mqtt(connect('\xc6', will + me + field("abc"))) == "abc < " + connect('\x86', will + me));
  // What comes behind goes on behind.
  CHECK(mqtt(connect('\xc2', me + field("abc")) + "\xc0\0"s) == "abc < " + connect('\x82', me) + "\xc0\0"s);

  CHECK(mqtt(connect('\x82', me)) == "credential.missing");
  CHECK(mqtt(connect('\xc2', me + field(""))) == "credential.missing");
  CHECK(mqtt(connect('\x02', "")) == "credential.missing");
  CHECK(mqtt("") == "message.malformed");
  CHECK(mqtt("\x30\x00"s) == "message.malformed");
  CHECK(mqtt(connect('\xc3', me + field("abc"))) == "message.malformed");        // reserved flag
  CHECK(mqtt(connect('\xd2', me + field("abc"))) == "message.malformed");        // QoS of no will
  CHECK(mqtt(connect('\x42', field("abc"))) == "message.malformed");             // 3.1.1: no user name
  CHECK(mqtt(connect('\xc2', me + field("abc") + "x")) == "message.malformed");  // bytes behind
  CHECK(mqtt(connect('\xc2', me + field("abc"), 3)) == "message.malformed");     // MQTT 3.1
  CHECK(mqtt(packet(field("MQIsdp") + "\x03\x02\0\0"s)) == "message.malformed");
  CHECK(verdict(Protocol::mqtt, connect('\xc2', me + field("abc"))) == "message.malformed");  // in a text
  // Cut anywhere.
  const std::string whole = connect('\xc2', me + field("abc"));
  for (std::size_t size = 0; size < whole.size(); ++size) CHECK(mqtt(whole.substr(0, size)) == "message.malformed");
  // A length of five bytes, and one that is longer than it need be.
  CHECK(mqtt("\x10\xff\xff\xff\xff\x01"s) == "message.malformed");
  CHECK(mqtt("\x10\x80\x00"s) == "message.malformed");
}

TEST_CASE("opening: whom the message claims the client to be") {
  const auto claimed = [](Protocol protocol, const std::string& content, Kind kind, std::string_view where = {}) {
    return read(protocol, content, kind, where).value().claimed_subject;
  };
  CHECK(claimed(Protocol::mqtt, connect('\xc2', field("bob") + field("abc")), Kind::binary) == "bob");
  CHECK(claimed(Protocol::mqtt, connect('\xc2', field("abc") + field("")), Kind::binary, "username").empty());
  CHECK(claimed(Protocol::stomp, "CONNECT\nlogin:bob\nAuthorization:abc\n\n\0"s, Kind::text) == "bob");
  CHECK(claimed(Protocol::stomp, "CONNECT\nlogin:abc\n\n\0"s, Kind::text, "login").empty());
  CHECK(verdict(Protocol::stomp, "CONNECT\nlogin:bob\nlogin:eve\nAuthorization:abc\n\n\0"s) == "message.malformed");
  CHECK(claimed(Protocol::json, R"({"token":"abc","user":"bob"})", Kind::text).empty());
}

TEST_CASE("opening: places") {
  CHECK(!complaint_about_place(Protocol::json, "/a"));
  CHECK(complaint_about_place(Protocol::json, "a"));
  CHECK(complaint_about_place(Protocol::graphql_ws, "/"));
  CHECK(!complaint_about_place(Protocol::stomp, "passcode"));
  CHECK(complaint_about_place(Protocol::stomp, "a b"));
  CHECK(!complaint_about_place(Protocol::mqtt, "username"));
  CHECK(complaint_about_place(Protocol::mqtt, "clientid"));
  CHECK(complaint_about_place(Protocol::control, "/token"));
  for (const auto& [protocol, name, doc] : enum_names(Protocol{})) {
    if (protocol != Protocol::control) CHECK(!complaint_about_place(protocol, usual_place(protocol)));
  }
}

TEST_CASE("opening: no detail holds the credential") {
  for (const auto& [protocol, content] : {std::pair(Protocol::json, R"({"token":["hunter2"]})"s),
                                          std::pair(Protocol::stomp, "CONNECT\nAuthorization:hunter2\n\nx\0"s)}) {
    const auto opening = read(protocol, content);
    REQUIRE(!opening.ok());
    CHECK(opening.error().detail.find("hunter2") == std::string::npos);
  }
}

}  // namespace
}  // namespace sallyport::auth
