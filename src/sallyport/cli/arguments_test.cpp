#include "sallyport/cli/arguments.h"

#include <doctest/doctest.h>

#include <algorithm>

#include "sallyport/cli/verbs.h"

namespace sallyport::cli {
namespace {

const Verb verb{.name = "do",
                .line = "Does it.",
                .operands = "[WHAT]",
                .most_operands = 1,
                .flags = {{"--config", "FILE", "The file.", Times::needed},
                          {"--scope", "SCOPE", "A scope.", Times::any},
                          {"--ttl", "TIME", "A time."},
                          {"--json", "", "In JSON."}},
                .example = "do --config x",
                .run = [](const Arguments&) { return 0; }};

Result<Arguments> parse(std::vector<std::string> words) { return parse_arguments(verb, words); }

std::string refusal(std::vector<std::string> words) {
  const auto parsed = parse(std::move(words));
  REQUIRE(!parsed.ok());
  CHECK(parsed.error().reason == Reason::request_invalid);
  return parsed.error().detail;
}

}  // namespace

TEST_CASE("flags and operands in any order") {
  const auto parsed = parse({"--json", "it", "--config", "a.yaml", "--scope=a", "--scope", "b=c", "--ttl="});
  REQUIRE(parsed.ok());
  CHECK(parsed->has("--json"));
  CHECK(parsed->find("--config") == "a.yaml");
  CHECK(parsed->find_all("--scope") == std::vector<std::string>{"a", "b=c"});
  CHECK(parsed->find("--ttl") == "");
  CHECK(parsed->value_or("--ttl", "1h") == "");
  CHECK(parsed->operands() == std::vector<std::string>{"it"});
}

TEST_CASE("what was not given is absent") {
  const auto parsed = parse({"--config", "a"});
  REQUIRE(parsed.ok());
  CHECK(!parsed->has("--json"));
  CHECK(!parsed->find("--ttl").has_value());
  CHECK(parsed->value_or("--ttl", "1h") == "1h");
  CHECK(parsed->find_all("--scope").empty());
  CHECK(parsed->operands().empty());
}

TEST_CASE("one dash makes no flag, and two alone end them") {
  CHECK(parse({"--config", "a", "-"})->operands() == std::vector<std::string>{"-"});
  CHECK(parse({"--config", "a", "-Ab3_"})->operands() == std::vector<std::string>{"-Ab3_"});
  CHECK(parse({"--config", "a", "--", "--json"})->operands() == std::vector<std::string>{"--json"});
  CHECK(parse({"--config", "--json"})->find("--config") == "--json");
}

TEST_CASE("wrong usage says what is wrong") {
  CHECK(refusal({"--cofnig", "a"}) == "unknown flag \"--cofnig\"; did you mean --config?");
  CHECK(refusal({"--config", "a", "--colour"}) == "unknown flag \"--colour\"");
  CHECK(refusal({"--config"}) == "--config needs a value: --config FILE");
  CHECK(refusal({"--config", "a", "--config=b"}) == "--config is given twice");
  CHECK(refusal({"--config", "a", "--json=yes"}) == "--json takes no value");
  CHECK(refusal({"--json"}) == "--config FILE is needed");
  CHECK(refusal({"--config", "a", "it", "too"}) == "unexpected argument \"too\"");
  Verb needs = verb;
  needs.operands = "WHAT";
  needs.fewest_operands = 1;
  CHECK(parse_arguments(needs, std::vector<std::string>{"--config", "a"}).error().detail == "WHAT is needed");
}

TEST_CASE("every verb is documented and unlike the others") {
  for (const Verb& one : verbs()) {
    CAPTURE(one.name);
    CHECK(!one.line.empty());
    CHECK(one.example.starts_with("sallyport " + std::string(one.name)));
    CHECK((one.run != nullptr));
    for (const Flag& flag : one.flags) {
      CAPTURE(flag.name);
      CHECK(flag.name.starts_with("--"));
      CHECK(flag.doc.ends_with("."));
      CHECK(std::ranges::count(one.flags, flag.name, &Flag::name) == 1);
    }
    CHECK(std::ranges::count(verbs(), one.name, &Verb::name) == 1);
    CHECK(help_of(verbs(), "").find(one.line) != std::string::npos);
  }
}

}  // namespace sallyport::cli
