#include "sallyport/http/structured.h"

#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "sallyport/base/json.h"

namespace sallyport::http::structured {
namespace {

// Base32 (RFC 4648 §6), in which the vectors write bytes.
std::string base32(std::string_view bytes) {
  constexpr std::string_view digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
  std::string out;
  unsigned held = 0;
  int bits = 0;
  for (const char c : bytes) {
    held = held << 8 | static_cast<unsigned char>(c);
    for (bits += 8; bits >= 5; bits -= 5) out.push_back(digits[held >> (bits - 5) & 31]);
  }
  if (bits > 0) out.push_back(digits[held << (5 - bits) & 31]);
  while (out.size() % 8 != 0) out.push_back('=');
  return out;
}

bool is_same(const BareItem& item, const json::Value& expected) {
  if (const auto* whole = std::get_if<std::int64_t>(&item)) {
    if (const auto* real = expected.real()) return *real == static_cast<double>(*whole);
    return expected.integer() && *expected.integer() == *whole;
  }
  if (const auto* decimal = std::get_if<Decimal>(&item)) {
    const double wanted = expected.real()      ? *expected.real()
                          : expected.integer() ? static_cast<double>(*expected.integer())
                                               : 1e300;
    return wanted == static_cast<double>(decimal->thousandths) / 1000;
  }
  if (const auto* text = std::get_if<std::string>(&item)) return expected.string() && *expected.string() == *text;
  if (const auto* flag = std::get_if<bool>(&item)) return expected.boolean() && *expected.boolean() == *flag;
  const std::string* kind = expected.find_string("__type");
  const std::string* value = expected.find_string("value");
  if (!kind || !value) return false;
  if (const auto* token = std::get_if<Token>(&item)) return *kind == "token" && *value == token->text;
  if (const auto* binary = std::get_if<Binary>(&item)) return *kind == "binary" && *value == base32(binary->bytes);
  return false;
}

bool is_same(const Parameters& parameters, const json::Value& expected) {
  if (parameters.size() != expected.array()->size()) return false;
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    const json::Array& pair = *(*expected.array())[i].array();
    if (parameters[i].first != *pair[0].string() || !is_same(parameters[i].second, pair[1])) return false;
  }
  return true;
}

bool is_same(const Item& item, const json::Value& expected) {
  const json::Array& pair = *expected.array();
  return is_same(item.value, pair[0]) && is_same(item.parameters, pair[1]);
}

bool is_same(const Member& member, const json::Value& expected) {
  if (const auto* item = std::get_if<Item>(&member)) return is_same(*item, expected);
  const auto& list = std::get<InnerList>(member);
  const json::Array& pair = *expected.array();
  if (!pair[0].array() || pair[0].array()->size() != list.items.size()) return false;
  for (std::size_t i = 0; i < list.items.size(); ++i) {
    if (!is_same(list.items[i], (*pair[0].array())[i])) return false;
  }
  return is_same(list.parameters, pair[1]);
}

bool is_same(const List& list, const json::Value& expected) {
  if (list.size() != expected.array()->size()) return false;
  for (std::size_t i = 0; i < list.size(); ++i) {
    if (!is_same(list[i], (*expected.array())[i])) return false;
  }
  return true;
}

bool is_same(const Dictionary& dictionary, const json::Value& expected) {
  if (dictionary.size() != expected.array()->size()) return false;
  for (std::size_t i = 0; i < dictionary.size(); ++i) {
    const json::Array& pair = *(*expected.array())[i].array();
    if (dictionary[i].first != *pair[0].string() || !is_same(dictionary[i].second, pair[1])) return false;
  }
  return true;
}

template <class Value>
void check(const Result<Value>& parsed, const json::Value& vector, const std::string& text) {
  const json::Value* must_fail = vector.find("must_fail");
  const json::Value* can_fail = vector.find("can_fail");
  if (must_fail && *must_fail->boolean()) {
    CHECK(!parsed.ok());
    return;
  }
  if (!parsed.ok()) {
    CHECK((can_fail && *can_fail->boolean()));
    return;
  }
  CHECK(is_same(*parsed, *vector.find("expected")));
  std::string canonical = text;
  if (const json::Value* given = vector.find("canonical"))
    canonical = given->array()->empty() ? std::string() : *given->array()->front().string();
  CHECK(serialize(*parsed) == canonical);
}

TEST_CASE("structured fields: the vectors of the HTTP working group") {
  int vectors = 0;
  for (const auto& entry :
       std::filesystem::directory_iterator(SALLYPORT_SOURCE_DIR "/tests/vectors/httpsig/structured-fields")) {
    if (entry.path().extension() != ".json") continue;
    std::ifstream file(entry.path());
    const auto parsed = json::parse(std::string(std::istreambuf_iterator<char>(file), {}));
    REQUIRE(parsed.ok());
    for (const json::Value& vector : *parsed->array()) {
      ++vectors;
      std::string text;
      for (const json::Value& line : *vector.find("raw")->array()) {
        if (&line != vector.find("raw")->array()->data()) text += ", ";
        text += *line.string();
      }
      INFO(entry.path().filename().string(), ": ", *vector.find_string("name"), ": ", text);
      const std::string& type = *vector.find_string("header_type");
      if (type == "item") check(parse_item(text), vector, text);
      if (type == "list") check(parse_list(text), vector, text);
      if (type == "dictionary") check(parse_dictionary(text), vector, text);
    }
  }
  CHECK(vectors == 175);
}

TEST_CASE("structured fields: a name that stands twice") {
  CHECK(serialize(*parse_dictionary("a=1, b=2, a=3")) == "a=3, b=2");
  CHECK(!parse_dictionary("a=1, b=2, a=3", Duplicates::refused).ok());
  CHECK(parse_dictionary("a=1, b=2, c=3", Duplicates::refused).ok());
  CHECK(serialize(*parse_item("x;a=1;a=2")) == "x;a=2");
  CHECK(!parse_item("x;a=1;a=2", Duplicates::refused).ok());
  CHECK(!parse_dictionary("s=(\"a\";k;k)", Duplicates::refused).ok());
}

TEST_CASE("structured fields: dates and display strings of RFC 9651") {
  CHECK(parse_item("@1659578233")->value == BareItem(Date{1'659'578'233}));
  CHECK(serialize(*parse_item("@-1")) == "@-1");
  CHECK(!parse_item("@1.5").ok());
  CHECK(!parse_item("@").ok());
  const std::string text = "%\"f%c3%bc%c3%bc \\ %25%22\"";
  const auto parsed = parse_item(text);
  REQUIRE(parsed.ok());
  CHECK(parsed->value == BareItem(DisplayString{"f\xc3\xbc\xc3\xbc \\ %\""}));
  CHECK(serialize(*parsed) == text);
  for (const char* bad : {"%\"%c3\"", "%\"%C3%BC\"", "%\"%c\"", "%\"a", "%a", "%\"\xc3\xbc\""})
    CHECK(!parse_item(bad).ok());
}

TEST_CASE("structured fields: there are limits") {
  const auto repeat = [](std::size_t times, const auto& piece) {
    std::string out;
    for (std::size_t i = 0; i < times; ++i) out += piece(i);
    return out;
  };
  const auto member = [](std::size_t i) { return (i ? ",k" : "k") + std::to_string(i); };
  CHECK(parse_dictionary(repeat(1024, member)).ok());
  CHECK(!parse_dictionary(repeat(1025, member)).ok());
  CHECK(parse_list(repeat(1024, member)).ok());
  CHECK(!parse_list(repeat(1025, member)).ok());
  const auto parameter = [](std::size_t i) { return ";k" + std::to_string(i); };
  CHECK(parse_item("x" + repeat(256, parameter)).ok());
  CHECK(!parse_item("x" + repeat(257, parameter)).ok());
  const auto item = [](std::size_t) { return "x "; };
  CHECK(parse_list("(" + repeat(256, item) + ")").ok());
  CHECK(!parse_list("(" + repeat(257, item) + ")").ok());
}

TEST_CASE("structured fields: what no parser gives cannot be written") {
  CHECK_THROWS_AS(serialize(BareItem(std::string("\n"))), BugError);
  CHECK_THROWS_AS(serialize(BareItem(std::int64_t{1'000'000'000'000'000})), BugError);
  CHECK_THROWS_AS(serialize(BareItem(Token{"1"})), BugError);
  CHECK_THROWS_AS(serialize(Parameters{{"A", BareItem(true)}}), BugError);
  CHECK(serialize(BareItem(Decimal{-500})) == "-0.5");
  CHECK(serialize(BareItem(Decimal{1000})) == "1.0");
}

}  // namespace
}  // namespace sallyport::http::structured
