#include "sallyport/protocol/json/json.h"

#include "sallyport/base/counting_new.h"
#include "sallyport/protocol/adapter_contract.h"

namespace sallyport::protocol {
namespace {

// Verb and resource, or why not.
std::string read(const JsonAdapter& adapter, std::string_view text) {
  Workspace workspace;
  const auto result = adapter.read({Direction::to_backend, Message::Kind::text, bytes_of(text)}, workspace);
  if (!result.ok()) return std::string(row(result.error().reason).name) + ": " + result.error().detail;
  REQUIRE(result->size() == 1);
  return std::string(result->front().verb()) + " " + std::string(result->front().resource());
}

const JsonAdapter chat({"/type", "/room", {"ping"}});

}  // namespace

TEST_SUITE("json adapter") {
  TEST_CASE("the contract") {
    using Kind = Message::Kind;
    testing::AdapterContract contract;
    contract.adapter = &chat;
    contract.good = {{Kind::text, R"({"type":"send","room":"a","text":"hello"})", {{"send", "a"}}},
                     {Kind::text, R"({"type":"se\u006ed","room":"\u0061"})", {{"send", "a"}}},
                     {Kind::text, R"({"room":7,"type":"send"})", {{"send", "7"}}},
                     {Kind::text, R"({"type":"ping"})", {{"ping", ""}}}};
    contract.bad = {{Kind::text, "", {}},
                    {Kind::text, "{}", {}},
                    {Kind::text, R"({"type":"send"})", {}},
                    {Kind::text, R"([{"type":"send","room":"a"}])", {}},
                    {Kind::text, R"({"type":"send","type":"send","room":"a"})", {}},
                    {Kind::binary, R"({"type":"send","room":"a"})", {}}};
    testing::check_adapter_contract(contract);
  }

  TEST_CASE("a text only") {
    Workspace workspace;
    const auto result =
        chat.read({Direction::to_backend, Message::Kind::binary, bytes_of(R"({"type":"ping"})")}, workspace);
    REQUIRE(!result.ok());
    CHECK(result.error().reason == Reason::message_unsupported);
  }

  TEST_CASE("the verb is a string that says something") {
    CHECK(read(chat, R"({"room":"a"})") == "message.malformed: no verb");
    for (const char* value : {"1", "null", "true", "[\"send\"]", "{\"send\":1}"}) {
      CHECK(read(chat, R"({"room":"a","type":)" + std::string(value) + "}") ==
            "message.malformed: the verb is no string");
    }
    CHECK(read(chat, R"({"room":"a","type":""})") == "message.malformed: verb or resource empty");
    for (const char* value : {"\\u0000", "send\\u0000", "send\\n", "\\tsend", "\x7f", "\\u007f", "a\\u001fb"}) {
      CHECK(read(chat, R"({"room":"a","type":")" + std::string(value) + "\"}") ==
            "message.malformed: control character in verb or resource");
    }
    const auto long_verb = [](const std::string& piece, int pieces) {
      std::string text = R"({"type":"ping","room":")";
      for (int i = 0; i < pieces; ++i) text += piece;
      return read(chat, text + "\"}");
    };
    CHECK(long_verb("x", 1024) == "ping " + std::string(1024, 'x'));
    CHECK(long_verb("x", 1025) == "message.malformed: verb or resource too long");
    CHECK(long_verb("\\u0078", 1024) == "ping " + std::string(1024, 'x'));
    CHECK(long_verb("\\u0078", 1025) == "message.malformed: verb or resource too long");
    CHECK(long_verb("\\n", 2000) == "message.malformed: verb or resource too long");
  }

  TEST_CASE("the resource is a string or an integer that every parser reads alike") {
    const auto room = [](const std::string& value) { return read(chat, R"({"type":"send","room":)" + value + "}"); };
    for (const char* value : {"0", "7", "-7", "9007199254740991", "-9007199254740991", "123456789"}) {
      CHECK(room(value) == "send " + std::string(value));
    }
    CHECK(room("\"r/1 \xc3\xa9\"") == "send r/1 \xc3\xa9");
    const std::string beyond = "message.malformed: the resource is beyond the integers that are exact everywhere";
    for (const char* value : {"9007199254740992", "9007199254740993", "-9007199254740992", "10000000000000000",
                              "123456789012345678901234567890"}) {
      CHECK(room(value) == beyond);
    }
    for (const char* value : {"1.0", "1e2", "1E2", "-1.5", "0.0", "0e0"}) {
      CHECK(room(value) == "message.malformed: the resource is no integer");
    }
    CHECK(room("-0") == "message.malformed: the resource is minus zero");
    for (const char* value : {"null", "true", "false", "[]", "{}", "[\"a\"]"}) {
      CHECK(room(value) == "message.malformed: the resource is neither string nor integer");
    }
    CHECK(room("\"\"") == "message.malformed: verb or resource empty");
    CHECK(room("\"a\\u0000\"") == "message.malformed: control character in verb or resource");
  }

  TEST_CASE("a resource may be left out by the verbs that are listed, and by no other") {
    CHECK(read(chat, R"({"type":"ping"})") == "ping ");
    CHECK(read(chat, R"({"type":"pi\u006eg"})") == "ping ");
    CHECK(read(chat, R"({"type":"ping","room":"a"})") == "ping a");
    CHECK(read(chat, R"({"type":"ping","room":null})") ==
          "message.malformed: the resource is neither string nor integer");
    CHECK(read(chat, R"({"type":"send"})") == "message.malformed: no resource");
    CHECK(read(chat, R"({"type":"Ping"})") == "message.malformed: no resource");
    const JsonAdapter verbs_only({"/op", "", {}});
    CHECK(read(verbs_only, R"({"op":"send","room":[]})") == "send ");
  }

  TEST_CASE("members deeper down") {
    const JsonAdapter deep({"/payload/op", "/payload/args/0/id", {}});
    CHECK(read(deep, R"({"op":"no","payload":{"args":[{"id":4}],"op":"join"}})") == "join 4");
    CHECK(read(deep, R"({"payload":{"args":[{"id":4}],"op":"join"},"payload":{}})") ==
          "message.malformed: a member comes twice");
  }

  TEST_CASE("a message costs no allocation") {
    const std::string plain = R"({"type":"send","room":"lobby","text":")" + std::string(4000, 'x') + "\"}";
    const std::string escaped =
        R"({"type":"se\u006ed","room":"\ud83d\ude00)" + std::string(900, 'r') + R"(","n":[1,{"a":[]}]})";
    Workspace workspace;
    const auto once = [&](const std::string& text) {
      return chat.read({Direction::to_backend, Message::Kind::text, bytes_of(text)}, workspace).ok();
    };
    bool fine = once(plain) && once(escaped);
    const std::size_t before = allocations;
    for (int i = 0; i < 100; ++i) fine = once(plain) && once(escaped) && fine;
    const std::size_t after = allocations;
    CHECK(after == before);
    CHECK(fine);
  }

  TEST_CASE("configuration") {
    const auto refusal = [](std::string_view text) {
      const auto reading = config::read(json_schema(), text, "test.yaml", {});
      return reading.ok() ? std::string("fine") : reading.problems.text();
    };
    CHECK(refusal("verb: /type") == "fine");
    CHECK(refusal("{ verb: /type, resource: /room, resource_optional: [ping] }") == "fine");
    CHECK(refusal("{}").find("verb") != std::string::npos);
    CHECK(refusal("verb: type").find("test.yaml:1") != std::string::npos);
    CHECK(refusal("verb: type").find("begins with a slash") != std::string::npos);
    CHECK(refusal("{ verb: /type, resource: /type }").find("the same member") != std::string::npos);
    CHECK(refusal("{ verb: /a/b, resource: /a }").find("the same member") != std::string::npos);
    CHECK(refusal("{ verb: /a, resource: /a/b }").find("the same member") != std::string::npos);
    CHECK(refusal("{ verb: /a, resource_optional: [ping] }").find("no resource") != std::string::npos);
    CHECK(refusal("{ verb: /a, resource: b }").find("begins with a slash") != std::string::npos);
  }
}

}  // namespace sallyport::protocol
