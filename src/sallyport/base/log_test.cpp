#include "sallyport/base/log.h"

#include <doctest/doctest.h>

#include <string>

using namespace sallyport;

namespace {

struct Lines final : Log {
  void write(std::string_view line) override { text += line; }
  std::string text;
};

}  // namespace

TEST_CASE("log: hostile bytes stay inside their text, and one event is one line") {
  Lines log;
  Event(log, from_unix_seconds(0), Level::warning, "x").text("a", "\"}\n{\xff\x01").text("empty", "").number("n", -1);
  CHECK(log.text ==
        "{\"time\":\"1970-01-01T00:00:00.000Z\",\"level\":\"warning\",\"event\":\"x\","
        "\"a\":\"\\\"}\\n{\xEF\xBF\xBD\\u0001\",\"n\":-1}\n");
}

TEST_CASE("log: of what a stranger wrote only the start is kept") {
  Lines log;
  Event(log, from_unix_seconds(0), Level::warning, "x")
      .excerpt("short", std::string(256, 'a'))
      .excerpt("long", std::string(16'000, 'b'));
  CHECK(log.text.find("\"" + std::string(256, 'a') + "\"") != std::string::npos);
  CHECK(log.text.find("\"" + std::string(256, 'b') + "...\"") != std::string::npos);
}
