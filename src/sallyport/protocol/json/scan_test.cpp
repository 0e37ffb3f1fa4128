#include "sallyport/protocol/json/scan.h"

#include <doctest/doctest.h>

#include <fstream>
#include <iterator>
#include <optional>

#include "sallyport/base/encoding.h"
#include "sallyport/base/json.h"
#include "sallyport/ws/utf8.h"

namespace sallyport::protocol {
namespace {

JsonSelection selection(std::initializer_list<std::string_view> pointers) {
  std::vector<JsonPointer> parsed;
  for (const std::string_view pointer : pointers) parsed.push_back(JsonPointer::parse(pointer).value());
  return JsonSelection(parsed);
}

std::string show(const JsonFound& found) {
  switch (found.kind) {
    case JsonFound::Kind::absent:
      return "absent";
    case JsonFound::Kind::string: {
      std::string out = "string ";
      append_unescaped(out, found);
      return out;
    }
    case JsonFound::Kind::number:
      return "number " + std::string(found.raw);
    case JsonFound::Kind::other:
      return "other " + std::string(found.raw);
  }
  return {};
}

// What stands at `pointers`, or the fault.
std::string look(std::string_view text, std::initializer_list<std::string_view> pointers) {
  const JsonSelection places = selection(pointers);
  std::vector<JsonFound> found(places.size());
  // A copy without anything behind it, so that a sanitizer sees a look behind the end.
  const std::vector<char> exact(text.begin(), text.end());
  const auto result = scan_json({exact.data(), exact.size()}, places, found);
  if (!result.ok()) {
    CHECK(result.error().reason == Reason::message_malformed);
    return "fault: " + result.error().detail;
  }
  std::string out;
  for (const JsonFound& each : found) out += (out.empty() ? "" : ", ") + show(each);
  return out;
}
std::string look(std::string_view text) { return look(text, {"/type", "/room"}); }
bool sound(std::string_view text) { return !look(text).starts_with("fault"); }

}  // namespace

TEST_SUITE("json scan") {
  TEST_CASE("finds what it looks for wherever it stands") {
    CHECK(look(R"({"type":"send","room":"a"})") == "string send, string a");
    CHECK(look(R"({"x":[{"type":"no","room":1}],"room":7,"y":{"type":"no"},"type":"send"})") ==
          "string send, number 7");
    CHECK(look(" \t\r\n{ \"type\" : \"send\" , \"room\" : -7 } \n") == "string send, number -7");
    CHECK(look("{}") == "absent, absent");
    CHECK(look(R"({"type":null,"room":{"type":[]}})") == "other null, other {\"type\":[]}");
    CHECK(look(R"({"type":true,"room":[1]})") == "other true, other [1]");
    CHECK(look(R"({"type":"","room":1.5e3})") == "string , number 1.5e3");
    CHECK(look(R"({"typ":"a","type ":"b","types":"c","roo":1,"":2})") == "absent, absent");
  }

  TEST_CASE("names and texts are read without their escapes") {
    CHECK(look(R"({"ty\u0070e":"send"})") == "string send, absent");
    CHECK(look(R"({"\u0074\u0079\u0070\u0065":"\u0073\/\"\\\b\f\n\r\t\u00e9\u20AC\uD83D\ude00"})") ==
          "string s/\"\\\b\f\n\r\t\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80, absent");
    CHECK(look(R"({"type":"\u0000"})") == std::string("string \0, absent", 16));
    CHECK(look("{\"type\":\"gr\xc3\xbc\xc3\x9f\xf0\x9f\x98\x80\"}") ==
          "string gr\xc3\xbc\xc3\x9f\xf0\x9f\x98\x80, absent");
    CHECK(look(R"({"type\\":"a","\"type":"b"})") == "absent, absent");
    CHECK(look(R"({"a\\b":1,"a\"b":2,"a\/b":3})", {"/a\\b", "/a\"b", "/a~1b"}) == "number 1, number 2, number 3");
    // Not the name `a\b`, but a and a backspace.
    CHECK(look(R"({"a\b":1})", {"/a\\b"}) == "absent");
  }

  TEST_CASE("follows a path through objects and arrays") {
    CHECK(look(R"({"payload":{"x":0,"room":"a"},"type":"send"})", {"/type", "/payload/room"}) ==
          "string send, string a");
    CHECK(look(R"({"p":{"q":{"r":{"type":1}}},"q":0})", {"/p/q/r/type"}) == "number 1");
    CHECK(look(R"({"p":{"a":1,"b":2},"c":3})", {"/p/b", "/p/a", "/c"}) == "number 2, number 1, number 3");
    CHECK(look(R"({"p":[10,{"room":"a"},12]})", {"/p/1/room", "/p/0"}) == "string a, number 10");
    CHECK(look(R"({"p":[]})", {"/p/0"}) == "absent");
    CHECK(look(R"({"p":[1,2]})", {"/p/01", "/p/-", "/p/2", "/p/1x"}) == "absent, absent, absent, absent");
    CHECK(look(R"({"p":{"0":"name","00":1}})", {"/p/0"}) == "string name");
    CHECK(look(R"({"p":"q"})", {"/p/q"}) == "absent");
    CHECK(look(R"({"p":7})", {"/p/q"}) == "absent");
    CHECK(look(R"({"q":{"p":{"q":1}},"p":{"x":{"q":2}}})", {"/p/q"}) == "absent");
  }

  TEST_CASE("a member on the way that comes twice is a fault, however it is written") {
    const std::string twice = "fault: a member comes twice";
    CHECK(look(R"({"type":"a","type":"a"})") == twice);
    CHECK(look(R"({"type":"a","x":0,"ty\u0070e":"b"})") == twice);
    CHECK(look(R"({"room":null,"type":"a","room":1})") == twice);
    CHECK(look(R"({"p":{"room":1},"p":{}})", {"/p/room"}) == twice);
    CHECK(look(R"({"p":0,"p":{"room":1}})", {"/p/room"}) == twice);
    CHECK(look(R"({"p":{"room":1,"\u0072oom":2}})", {"/p/room"}) == twice);
    // Elsewhere nothing is read, so nothing can be read in two ways.
    CHECK(look(R"({"type":"a","x":1,"x":2,"y":{"type":1,"type":2}})") == "string a, absent");
    CHECK(look(R"({"p":[{"room":1},{"room":2}]})", {"/p/0/room"}) == "number 1");
  }

  TEST_CASE("a name that some parser takes for one on the way is a fault") {
    const std::string nearly = "fault: a member's name is nearly one that is looked for";
    for (const char* name :
         {"Type", "TYPE", "t\\u0059pe", "\\u0054ype", "type\\u0000", "type\\u0000x", "TYPE\\u0000"}) {
      CAPTURE(name);
      CHECK(look("{\"" + std::string(name) + "\":\"a\"}") == nearly);
      CHECK(look("{\"type\":\"b\",\"" + std::string(name) + "\":\"a\"}") == nearly);
      CHECK(sound("{\"x\":{\"" + std::string(name) + "\":\"a\"}}"));
    }
    CHECK(look("{\"\xe2\x84\xaa"
               "ind\":1}",
               {"/kind"}) == nearly);  // KELVIN SIGN
    CHECK(look("{\"\\u212aind\":1}", {"/kind"}) == nearly);
    CHECK(look("{\"\xc5\xbf"
               "ub\":1}",
               {"/sub"}) == nearly);  // LONG S
    CHECK(look("{\"\\u017FUB\":1}", {"/sub"}) == nearly);
    CHECK(look("{\"\xc4\xb0"
               "d\":1}",
               {"/id"}) == nearly);  // I WITH DOT
    CHECK(look("{\"\xc4\xb1"
               "d\":1}",
               {"/ID"}) == nearly);  // I WITHOUT DOT
    CHECK(look("{\"\xc4\xb2"
               "d\":1,\"\xc3\xad"
               "d\":1,\"\\u00edd\":1}",
               {"/id"}) == "absent");
    CHECK(look(R"({"P":{"room":1}})", {"/p/room"}) == nearly);
    CHECK(look(R"({"p":{"Room":1}})", {"/p/room"}) == nearly);
  }

  TEST_CASE("what is no JSON object is a fault") {
    for (const std::string_view text : {"",
                                        " ",
                                        "null",
                                        "[]",
                                        "[{}]",
                                        "\"{}\"",
                                        "1",
                                        "{",
                                        "}",
                                        "{}}",
                                        "{}{}",
                                        "{},",
                                        "{}x",
                                        "{} null",
                                        "{]",
                                        "{,}",
                                        "{\"a\"}",
                                        "{\"a\":}",
                                        "{\"a\":1,}",
                                        "{\"a\":1,,\"b\":2}",
                                        "{\"a\":1 \"b\":2}",
                                        "{\"a\" 1}",
                                        "{\"a\"::1}",
                                        "{a:1}",
                                        "{'a':1}",
                                        "{1:1}",
                                        "{\"a\":1",
                                        "{\"a\":1,",
                                        "{\"a",
                                        "{\"a\"",
                                        "{\"a\":",
                                        "{\"a\":\"b",
                                        "{\"a\":\"b\\",
                                        "{\"a\":\"b\\\"}",
                                        "{\"a\":[}",
                                        "{\"a\":[1,]}",
                                        "{\"a\":[,1]}",
                                        "{\"a\":[1}",
                                        "{\"a\":[1 2]}",
                                        "{\"a\":{]}",
                                        "{\"a\":nul}",
                                        "{\"a\":nulll}",
                                        "{\"a\":True}",
                                        "{\"a\":t}",
                                        "{\"a\":fals",
                                        "{\"a\":NaN}",
                                        "{\"a\":Infinity}",
                                        "{\"a\":undefined}",
                                        "{\"a\":01}",
                                        "{\"a\":-01}",
                                        "{\"a\":+1}",
                                        "{\"a\":-}",
                                        "{\"a\":.5}",
                                        "{\"a\":1.}",
                                        "{\"a\":1.e1}",
                                        "{\"a\":1e}",
                                        "{\"a\":1e+}",
                                        "{\"a\":0x1}",
                                        "{\"a\":1_0}",
                                        "{\"a\":--1}",
                                        "{\"a\":1-}",
                                        "{\"a\":\"\\x\"}",
                                        "{\"a\":\"\\u12\"}",
                                        "{\"a\":\"\\u12g4\"}",
                                        "{\"a\":\"\\U1234\"}",
                                        "{\"a\":\"\\'\"}",
                                        "{\"a\":\"\\ud800\"}",
                                        "{\"a\":\"\\udc00\"}",
                                        "{\"a\":\"\\ud800x\"}",
                                        "{\"a\":\"\\ud800\\n\"}",
                                        "{\"a\":\"\\ud800\\ud800\"}",
                                        "{\"a\":\"\\udc00\\ud800\"}",
                                        "{\"a\":\"\\ud800\\u0041\"}",
                                        "{\"\\ud800\":1}",
                                        "{\"a\":\"\n\"}",
                                        "{\"a\":\"\t\"}",
                                        "{\"a\":\"\x1f\"}",
                                        "{\"\x01\":1}",
                                        "{/**/}",
                                        "{}//",
                                        "{\"a\":1}#",
                                        "\xef\xbb\xbf{}",
                                        "{\xc2\xa0}",
                                        "{\xe2\x80\xa8}",
                                        "\v{}",
                                        "{\f}",
                                        "{}\x1a"}) {
      CAPTURE(text);
      CHECK(!sound(text));
    }
    CHECK(!sound(std::string_view("{}\0", 3)));
    CHECK(!sound(std::string_view("\0{}", 3)));
    CHECK(!sound(std::string_view("{\"a\":\"\0\"}", 9)));
    for (const std::string_view text :
         {"{\"a\":0}", "{\"a\":-0}", "{\"a\":-1.25E-10}", "{\"a\":0e0}", "{\"a\":1E+2}", "{\"a\":[[],{},[{}]]}",
          "{\"a\":\"\x7f\xc2\x80\"}", "{\"\":{\"\":[]}}", "{\"a\":1e999,\"b\":123456789012345678901234567890}"}) {
      CAPTURE(text);
      CHECK(sound(text));
    }
  }

  TEST_CASE("nesting has an end, on and beside the way") {
    const auto nested = [](std::string_view open, std::string_view close, int levels) {
      std::string text = "{\"type\":\"a\",\"p\":";
      for (int i = 1; i < levels; ++i) text += open;
      text += "0";
      for (int i = 1; i < levels; ++i) text += close;
      return text + "}";
    };
    CHECK(sound(nested("[", "]", max_json_depth)));
    CHECK(!sound(nested("[", "]", max_json_depth + 1)));
    CHECK(sound(nested("{\"a\":", "}", max_json_depth)));
    CHECK(look(nested("{\"a\":", "}", max_json_depth + 1)) == "fault: nested too deep");
    CHECK(look(nested("{\"q\":", "}", max_json_depth), {"/p/q/q/r"}) == "absent");
    CHECK(look(nested("{\"q\":", "}", max_json_depth + 1), {"/p/q/q/r"}) == "fault: nested too deep");
    CHECK(!sound("{\"a\":" + std::string(100'000, '[')));
    // The kinds of what is open are told apart at every level.
    std::string mixed = "{\"a\":";
    std::string ends;
    for (int i = 1; i < max_json_depth; ++i) {
      mixed += i % 3 == 0 ? "{\"b\":" : "[";
      ends.insert(ends.begin(), i % 3 == 0 ? '}' : ']');
    }
    CHECK(sound(mixed + "1" + ends + "}"));
    for (std::size_t i = 0; i < ends.size(); ++i) {
      std::string wrong = ends;
      wrong[i] = wrong[i] == '}' ? ']' : '}';
      CHECK(!sound(mixed + "1" + wrong + "}"));
    }
  }

  TEST_CASE("every byte cut off, every byte changed: the verdict of the full parser") {
    const std::string text =
        R"( {"id":12,"type":"chat.send","room":"r1","body":{"text":"gr\u00fc\u00df \ud83d\ude00","num":[-1.5e3,0,true,false,null,{}]}} )";
    REQUIRE(sound(text));
    const auto compare = [](const std::string& changed) {
      CAPTURE(changed);
      const bool accepted = sound(changed);
      const auto full = json::parse(changed, max_json_depth);
      const bool object = full.ok() && full->object();
      CHECK(accepted == object);
    };
    for (std::size_t size = 0; size < text.size(); ++size) compare(text.substr(0, size));
    for (std::size_t at = 0; at < text.size(); ++at) {
      for (const char c : std::string_view("\"\\{}[]:,0-.eu nt\x01/\x7f", 20)) {
        std::string changed = text;
        changed[at] = c;
        compare(changed);
        compare(text.substr(0, at) + c + text.substr(at));
      }
    }
  }

  TEST_CASE("JSONTestSuite") {
    std::ifstream file(SALLYPORT_SOURCE_DIR "/tests/vectors/jose/json-parsing.json");
    const auto suite = json::parse(std::string{std::istreambuf_iterator<char>(file), {}});
    REQUIRE(suite.ok());
    int judged = 0;
    for (const json::Value& test : *suite->find("cases")->array()) {
      const std::string& name = *test.find_string("name");
      const std::string& expect = *test.find_string("expect");
      CAPTURE(name);
      const std::string* encoded = test.find_string("base64");
      if (!encoded) continue;  // texts of 100,000 brackets, left out of the file
      const std::string bytes = base64_decode(*encoded).value();
      ws::Utf8Validator utf8;
      if (!utf8.add(bytes_of(bytes)) || !utf8.complete()) continue;  // never gets here
      const bool accepted = sound("{\"a\":" + bytes + "}");
      if (expect.find("accept") != std::string::npos) {
        CHECK(accepted);
      } else if (expect.find("reject") != std::string::npos) {
        CHECK(!accepted);
      }
      ++judged;
    }
    CHECK(judged >= 200);
  }

  TEST_CASE("the end of a string is found at every place, by both ways of looking") {
    for (std::size_t size = 0; size < 200; ++size) {
      const std::string plain(size, 'x');
      CHECK(find_string_end(plain) == size);
      CHECK(find_string_end_portably(plain) == size);
      for (std::size_t at = 0; at < size; ++at) {
        for (const char c : {'"', '\\', '\0', '\x1f'}) {
          std::string text = plain;
          text[at] = c;
          if (at + 1 < size) text[at + 1] = '"';
          CHECK(find_string_end(text) == at);
          CHECK(find_string_end_portably(text) == at);
        }
      }
    }
    // No other byte is taken for one of them, whatever stands beside it.
    for (int byte = 0; byte < 256; ++byte) {
      const char c = static_cast<char>(byte);
      const bool ends = c == '"' || c == '\\' || byte < 0x20;
      for (const char beside : {'x', '!', '#', '[', ']', ' ', '\x7f', '\x80', '\xa0', '\xff', '\xdc'}) {
        std::string text(40, beside);
        text[21] = c;
        CHECK(find_string_end(text) == (ends ? 21 : 40));
        CHECK(find_string_end_portably(text) == (ends ? 21 : 40));
      }
    }
  }
}

}  // namespace sallyport::protocol
