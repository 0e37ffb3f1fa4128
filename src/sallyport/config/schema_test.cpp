#include "sallyport/config/schema.h"

#include <doctest/doctest.h>

#include <map>

#include "sallyport/config/sample_test.h"

using namespace sallyport;
using namespace sallyport::config;
using namespace std::chrono_literals;

namespace {

// The first line is line 1, as in an editor.
const std::string good = R"(listen:
  - address: 0.0.0.0:8443
    tls: { certificate: tls/cert.pem, key_file: /etc/key.pem }
  - address: "[::1]:8080"
store: { sqlite: { path: ./data/s.db } }
issuers:
  - name: main
    audience: [chat]
    jwks_url: https://id.example.com/jwks.json
  - { name: own, audience: [a, b], secret: env:OWN_SECRET }
routes:
  - name: chat
    origins: [https://app.example.com]
    authenticate:
      - jwt: { issuer: main, leeway: 1m }
      - mtls: {}
    timing: first_message
    limits: { message_size: 1MiB, messages: 600/m, connections_per_ip: 20, pause: 500ms }
)";

Context context() {
  return {"/etc/sallyport", [](std::string_view name) -> std::optional<std::string> {
            if (name == "PORT_COUNT") return "7";
            if (name == "BAD") return "hunter2";
            return std::nullopt;
          }};
}

std::string problems_of(std::string_view text) {
  return read(sample::config_schema, text, "gw.yaml", context()).problems.text();
}

template <class C>
std::string problems_in(const Schema<C>& schema, std::string_view text) {
  return read(schema, text, "gw.yaml", context()).problems.text();
}

// The good configuration with one line replaced.
std::string with(std::string_view line, std::string_view replacement) {
  std::string text = good;
  const std::size_t at = text.find(line);
  REQUIRE(at != std::string::npos);
  return text.replace(at, line.size(), replacement);
}

template <class T>
struct One {
  T value{};
};
template <class T, class... O>
Schema<One<T>> one(const O&... options) {
  return schema("one", "One value.", field(&One<T>::value, "value", "The value.", options...));
}
template <class T, class... O>
std::optional<T> value_of(std::string_view text, const O&... options) {
  auto reading = read(one<T>(options...), "value: " + std::string(text), "f", context());
  if (!reading.ok()) return std::nullopt;
  return std::move(reading.config.value);
}
template <class T, class... O>
std::string problem_with(std::string_view text, const O&... options) {
  return read(one<T>(options...), "value: " + std::string(text), "f", context()).problems.text();
}

}  // namespace

TEST_CASE("a good configuration fills the struct, untouched settings keep their defaults") {
  const auto reading = read(sample::config_schema, good, "gw.yaml", context());
  REQUIRE(reading.problems.text() == "");
  const sample::Config& config = reading.config;
  REQUIRE(config.listen.size() == 2);
  CHECK(config.listen[0].address == Address{"0.0.0.0", 8443});
  CHECK(config.listen[0].tls->certificate.path == "/etc/sallyport/tls/cert.pem");
  CHECK(config.listen[0].tls->key == SecretSource{SecretSource::Kind::file, "/etc/key.pem"});
  CHECK(config.listen[1].address == Address{"::1", 8080});
  CHECK(!config.listen[1].tls);
  CHECK(std::get<sample::Sqlite>(config.store).path.path == "/etc/sallyport/data/s.db");
  CHECK(config.issuers[1].secret == SecretSource{SecretSource::Kind::environment, "OWN_SECRET"});
  CHECK(config.issuers[1].audience == std::vector<std::string>{"a", "b"});
  REQUIRE(config.routes.size() == 1);
  const sample::Route& route = config.routes[0];
  REQUIRE(route.authenticate.size() == 2);
  CHECK(route.authenticate[0].kind == "jwt");
  CHECK(route.authenticate[0].path == "routes[0].authenticate[0].jwt");
  CHECK(route.authenticate[0].get<sample::Jwt>()->leeway == 60s);
  CHECK(route.authenticate[0].get<sample::Mtls>() == nullptr);
  CHECK(route.authenticate[1].get<sample::Mtls>() != nullptr);
  CHECK(route.timing == sample::Timing::first_message);
  CHECK(route.limits.message_size == mib(1));
  CHECK(route.limits.messages == Rate{600, 60s});
  CHECK(route.limits.connections_per_ip == 20);
  CHECK(route.limits.pause == 500ms);
  CHECK(!config.verbose);
  CHECK(reading.dangers.empty());
}

TEST_CASE("all problems are told at once, in the order of the file") {
  const std::string text = R"(lisen:
  - address: 0.0.0.0:8443
issuers:
  - name: main
    audience: []
    secret: hunter2
routes:
  - name: chat
    authenticate:
      - jwt: { issuer: main, leway: 1m }
      - jtw: {}
    timing: handshak
    limits:
      message_size: 64KB
      connections_per_ip: 0
verbose: yes
)";
  CHECK(problems_of(text) ==
        "gw.yaml:1: lisen: unknown key. Did you mean listen?\n"
        "gw.yaml:1: listen: required, but absent. Add listen (list of maps)\n"
        "gw.yaml:5: issuers[0].audience: at least 1 item expected, found none\n"
        "gw.yaml:6: issuers[0].secret: env:NAME expected, found something else; a secret never stands in the "
        "configuration "
        "itself. Put it into a file of its own and write secret_file: PATH, or write secret: env:NAME\n"
        "gw.yaml:10: routes[0].authenticate[0].jwt.leway: unknown key. Did you mean leeway?\n"
        "gw.yaml:11: routes[0].authenticate[1].jtw: unknown key. Did you mean jwt?\n"
        "gw.yaml:12: routes[0].timing: one of handshake, first_message expected, found \"handshak\". Did you mean "
        "handshake?\n"
        "gw.yaml:14: routes[0].limits.message_size: size from 1 to 16MiB expected, found \"64KB\". Write a whole "
        "number of "
        "bytes, or one with KiB, MiB or GiB, such as 64KiB\n"
        "gw.yaml:15: routes[0].limits.connections_per_ip: whole number from 1 to 10000 expected, found \"0\"\n"
        "gw.yaml:16: verbose: true or false expected, found \"yes\". Write true\n");
}

TEST_CASE("an unknown key names the nearest, or what is known") {
  CHECK(problems_in(sample::limits_schema, "size: 1") == "gw.yaml:1: size: unknown key. Did you mean message_size?\n");
  CHECK(problems_in(sample::limits_schema, "messagse: 1/s") ==
        "gw.yaml:1: messagse: unknown key. Did you mean messages?\n");
  CHECK(problems_in(sample::limits_schema, "colour: red") ==
        "gw.yaml:1: colour: unknown key. Known here: message_size, messages, connections_per_ip, pause\n");
  CHECK(problems_in(sample::memory_schema, "path: x") == "gw.yaml:1: path: unknown key. Nothing can be set here\n");
  CHECK(problems_in(sample::limits_schema, "\"a b\\n\": 1") ==
        "gw.yaml:1: \"a b\\n\": unknown key. Known here: message_size, messages, connections_per_ip, pause\n");
}

TEST_CASE("required settings") {
  CHECK(problems_in(sample::jwt_schema, "{}") == "gw.yaml:1: issuer: required, but absent. Add issuer (text)\n");
  CHECK(problems_in(sample::listener_schema, "tls: {}") ==
        "gw.yaml:1: address: required, but absent. Add address: 0.0.0.0:8443\n"
        "gw.yaml:1: tls.certificate: required, but absent. Add certificate (path of a file)\n"
        "gw.yaml:1: tls.key: required, but absent. Add key_file: PATH, or key: env:NAME\n");
  // A map whose own settings are required cannot be left out either.
  const auto outer = schema("outer", "Outer.", field(&One<sample::Jwt>::value, "value", "Inner.", sample::jwt_schema));
  CHECK(problems_in(outer, "{}") == "gw.yaml:1: value: required, but absent. Add value (map)\n");
  CHECK(problems_in(sample::limits_schema, "{}") == "");
}

TEST_CASE("maps") {
  CHECK(problems_in(sample::limits_schema, "[a]") == "gw.yaml:1: map expected, found a list\n");
  CHECK(problem_with<sample::RouteLimits>("", sample::limits_schema) ==
        "f:1: value: map expected, found nothing. Write {} for the defaults\n");
  CHECK(problem_with<sample::Jwt>("~", sample::jwt_schema) == "f:1: value: map expected, found nothing\n");
}

TEST_CASE("booleans") {
  CHECK(value_of<bool>("true") == true);
  CHECK(value_of<bool>("false") == false);
  CHECK(problem_with<bool>("no") == "f:1: value: true or false expected, found \"no\". Write false\n");
  CHECK(problem_with<bool>("1") == "f:1: value: true or false expected, found \"1\"\n");
  CHECK(problem_with<bool>("'true'") ==
        "f:1: value: true or false expected, found the text \"true\". Remove the quotes\n");
  CHECK(problem_with<bool>("") == "f:1: value: true or false expected, found nothing\n");
}

TEST_CASE("integers") {
  CHECK(value_of<int>("-5") == -5);
  CHECK(value_of<std::uint16_t>("65535") == 65535);
  CHECK(value_of<std::int64_t>("9223372036854775807") == INT64_MAX);
  CHECK(value_of<std::uint64_t>("9223372036854775807") == static_cast<std::uint64_t>(INT64_MAX));
  CHECK(value_of<int>("env:PORT_COUNT") == 7);
  CHECK(problem_with<std::uint16_t>("65536") == "f:1: value: whole number from 0 to 65535 expected, found \"65536\"\n");
  CHECK(problem_with<int>("9223372036854775808").find("whole number from") != std::string::npos);
  for (const char* bad : {"1.0", "1e3", "0x10", "010", "+1", "1_000", "-0", "one", "' 1'"}) CHECK(!value_of<int>(bad));
  CHECK(problem_with<int>("\"5\"", between(1, 9)) ==
        "f:1: value: whole number from 1 to 9 expected, found the text \"5\". Remove the quotes\n");
  CHECK(problem_with<int>("10", between(1, 9)) == "f:1: value: whole number from 1 to 9 expected, found \"10\"\n");
  CHECK(problem_with<int>("[1]", between(1, 9)) == "f:1: value: whole number from 1 to 9 expected, found a list\n");
  CHECK(value_of<int>("9", between(1, 9)) == 9);
  CHECK(problem_with<int>("4", checked<int>([](const int& value) -> std::optional<std::string> {
                            if (value % 2 == 1) return std::nullopt;
                            return "odd number expected";
                          })) == "f:1: value: odd number expected\n");
}

TEST_CASE("texts") {
  CHECK(value_of<std::string>("no") == "no");
  CHECK(value_of<std::string>("1.0") == "1.0");
  CHECK(value_of<std::string>("'null'") == "null");
  CHECK(value_of<std::string>("''", may_be_empty) == "");
  CHECK(problem_with<std::string>("''") == "f:1: value: text that is not empty expected, found \"\"\n");
  CHECK(problem_with<std::string>("null") == "f:1: value: text expected, found nothing\n");
  CHECK(problem_with<std::string>("\"a\\nb\"") ==
        "f:1: value: text without control characters expected, found \"a\\nb\"\n");
  CHECK(problem_with<std::string>("{a: b}") == "f:1: value: text expected, found a map\n");
  CHECK(problem_with<std::string>("abcd", length(2, 3)) ==
        "f:1: value: text of 2 to 3 bytes expected, found \"abcd\"\n");
  CHECK(value_of<std::string>("abc", length(2, 3)) == "abc");
}

TEST_CASE("durations") {
  CHECK(value_of<std::chrono::milliseconds>("500ms") == 500ms);
  CHECK(value_of<std::chrono::seconds>("30s") == 30s);
  CHECK(value_of<std::chrono::seconds>("15m") == 15min);
  CHECK(value_of<std::chrono::nanoseconds>("24h") == 24h);
  CHECK(value_of<std::chrono::hours>("7d") == 168h);
  CHECK(value_of<std::chrono::seconds>("2000ms") == 2s);
  CHECK(problem_with<std::chrono::seconds>("30") ==
        "f:1: value: duration expected, found \"30\". Write a whole number with ms, s, m, h or d, such as 30s\n");
  for (const char* bad : {"1h30m", "-1s", "1.5s", "1 s", "s", "99999999999999999999s", "106752d", "01s"})
    CHECK(!value_of<std::chrono::seconds>(bad));
  CHECK(problem_with<std::chrono::seconds>("500ms") ==
        "f:1: value: duration in whole steps of 1s expected, found \"500ms\"\n");
  CHECK(problem_with<std::chrono::seconds>("10m", between(0s, 300s)) ==
        "f:1: value: duration from 0s to 5m expected, found \"10m\"\n");
  CHECK(value_of<std::chrono::seconds>("5m", between(0s, 300s)) == 5min);
  CHECK(problem_with<std::chrono::seconds>("1s", at_least(1min)) ==
        "f:1: value: duration at least 1m expected, found \"1s\"\n");
}

TEST_CASE("sizes") {
  CHECK(value_of<ByteSize>("64KiB") == kib(64));
  CHECK(value_of<ByteSize>("1MiB") == mib(1));
  CHECK(value_of<ByteSize>("2GiB") == mib(2048));
  CHECK(value_of<ByteSize>("123") == ByteSize{123});
  for (const char* bad : {"64k", "64KB", "64 KiB", "-1", "1.5MiB", "9999999999999GiB", "KiB"})
    CHECK(!value_of<ByteSize>(bad));
  CHECK(problem_with<ByteSize>("2MiB", at_most(mib(1))) == "f:1: value: size at most 1MiB expected, found \"2MiB\"\n");
}

TEST_CASE("rates") {
  CHECK(value_of<Rate>("100/s") == Rate{100, 1s});
  CHECK(value_of<Rate>("600/m") == Rate{600, 60s});
  CHECK(value_of<Rate>("5/d") == Rate{5, 86400s});
  for (const char* bad : {"100", "0/s", "1/ms", "/s", "1/", "1/s/s", "5000000000/s"}) CHECK(!value_of<Rate>(bad));
  CHECK(problem_with<Rate>("100") ==
        "f:1: value: rate expected, found \"100\". Write a whole number above 0 per s, m, h or d, such as 100/s\n");
}

TEST_CASE("addresses") {
  CHECK(value_of<Address>("127.0.0.1:0") == Address{"127.0.0.1", 0});
  CHECK(value_of<Address>("'[::]:443'") == Address{"::", 443});
  for (const char* bad : {"':8443'", "8443", "localhost:80", "'*:80'", "'::1:80'", "1.2.3:80", "1.2.3.4:65536",
                          "1.2.3.4:080", "'[1.2.3.4]:80'", "'[::1'", "'[::1]'", "1.2.3.4:", "'[]:1'"})
    CHECK(!value_of<Address>(bad));
  CHECK(problem_with<Address>("8443") ==
        "f:1: value: IP address and port expected, found \"8443\". Write 127.0.0.1:8443, 0.0.0.0:8443 or "
        "\"[::1]:8443\" with "
        "its quotes\n");
}

TEST_CASE("paths") {
  CHECK(value_of<FilePath>("/a/b")->path == "/a/b");
  CHECK(value_of<FilePath>("b")->path == "/etc/sallyport/b");
  CHECK(value_of<FilePath>("../b")->path == "/etc/sallyport/../b");
  CHECK(problem_with<FilePath>("~/b") ==
        "f:1: value: path of a file expected, found \"~/b\". ~ is not expanded: write the whole path\n");
  CHECK(problem_with<FilePath>("\"a\\0b\"") ==
        "f:1: value: path without control characters expected, found \"a\\x00b\"\n");
  CHECK(problem_with<FilePath>("''") == "f:1: value: path that is not empty expected, found \"\"\n");
}

TEST_CASE("secrets are never written out and never quoted back") {
  const auto secret = one<SecretSource>();
  CHECK(read(secret, "value: env:A_1", "f", context()).config.value ==
        SecretSource{SecretSource::Kind::environment, "A_1"});
  CHECK(read(secret, "value_file: k", "f", context()).config.value ==
        SecretSource{SecretSource::Kind::file, "/etc/sallyport/k"});
  CHECK(read(secret, "{}", "f", context()).config.value.empty());
  const std::string inline_secret =
      "f:1: value: env:NAME expected, found something else; a secret never stands in the configuration itself. Put it "
      "into a file "
      "of its own and write value_file: PATH, or write value: env:NAME\n";
  for (const char* bad : {"hunter2", "'hunter2'", "'env:'", "env:1A", "env:hunter-2", "[hunter2]", ""})
    CHECK(problem_with<SecretSource>(bad) == inline_secret);
  const auto problem = [&](std::string_view text) { return read(secret, text, "f", context()).problems.text(); };
  CHECK(problem("value_file: env:A") ==
        "f:1: value_file: path of a file expected, found env:. Write value: env:NAME when the variable holds the "
        "secret\n");
  CHECK(problem("value_file:") == "f:1: value_file: path of a file expected, found nothing\n");
  CHECK(problem("value_file: [hunter2]") == "f:1: value_file: path of a file expected, found a list\n");
  CHECK(problem("value_file: |\n  hunter2\n") ==
        "f:1: value_file: path of a file expected, found text with control characters. Put the secret into a file of "
        "its own and "
        "write its path here\n");
  CHECK(problem("value_file: ~/k").find("~ is not expanded") != std::string::npos);
  CHECK(problem("value: env:A\nvalue_file: k\n") ==
        "f:2: value: given twice, as value_file and as value. Keep one of them\n");
}

TEST_CASE("values from the environment") {
  CHECK(problem_with<int>("env:ABSENT") == "f:1: value: environment variable ABSENT is not set\n");
  CHECK(problem_with<int>("env:A-B") ==
        "f:1: value: env: and the name of a variable expected, found \"env:A-B\". A name is letters, digits and "
        "underscores\n");
  // What it holds may be confidential.
  CHECK(problem_with<std::uint8_t>("env:BAD") ==
        "f:1: value: whole number from 0 to 255 expected, found the value of environment variable BAD\n");
  CHECK(value_of<std::string>("env:BAD") == "hunter2");
}

TEST_CASE("lists") {
  CHECK(value_of<std::vector<int>>("[1, 2]") == std::vector<int>{1, 2});
  CHECK(value_of<std::vector<std::string>>("[]")->empty());
  CHECK(problem_with<std::vector<std::string>>("chat") ==
        "f:1: value: list of text expected, found \"chat\". Write [chat]\n");
  CHECK(problem_with<std::vector<int>>("[1, x, 3, y]", between(0, 9)) ==
        "f:1: value[1]: whole number from 0 to 9 expected, found \"x\"\n"
        "f:1: value[3]: whole number from 0 to 9 expected, found \"y\"\n");
  CHECK(problem_with<std::vector<int>>("[1, 2, 3]", items(0, 2)) == "f:1: value: at most 2 items expected, found 3\n");
  CHECK(problem_with<std::vector<int>>("[]", required) == "f:1: value: at least 1 item expected, found none\n");
  CHECK(problem_with<std::vector<sample::RouteLimits>>("{pause: 1s}", sample::limits_schema) ==
        "f:1: value: list of maps expected, found a map. Start each item with a - of its own\n");
  CHECK(problem_with<std::optional<int>>("x", between(0, 9)) ==
        "f:1: value: whole number from 0 to 9 expected, found \"x\"\n");
  CHECK(**value_of<std::optional<int>>("7") == 7);
}

TEST_CASE("one-of") {
  const auto store = one_of({choice("memory", sample::memory_schema), choice("sqlite", sample::sqlite_schema)});
  using Store = std::variant<sample::Memory, sample::Sqlite>;
  CHECK(std::holds_alternative<sample::Sqlite>(*value_of<Store>("{sqlite: {}}", store)));
  CHECK(problem_with<Store>("sqlite", store) ==
        "f:1: value: map with one key of memory, sqlite expected, found \"sqlite\". Write sqlite: {}\n");
  CHECK(problem_with<Store>("sqlit", store) ==
        "f:1: value: map with one key of memory, sqlite expected, found \"sqlit\". Did you mean sqlite?\n");
  CHECK(problem_with<Store>("{}", store) ==
        "f:1: value: map with one key of memory, sqlite expected, found an empty map\n");
  CHECK(problem_with<Store>("[]", store) == "f:1: value: map with one key of memory, sqlite expected, found a list\n");
  CHECK(problem_with<Store>("{memory: {}, sqlite: {}}", store) ==
        "f:1: value: map with one key of memory, sqlite expected, found memory and sqlite. Keep one of them\n");
  CHECK(problem_with<Store>("{redis: {}}", store) == "f:1: value.redis: unknown key. Known here: memory, sqlite\n");
  CHECK(problem_with<Store>("{sqlite: {file: x}}", store) == "f:1: value.sqlite.file: unknown key. Known here: path\n");
  CHECK(problem_with<Store>("{sqlite: }", store) ==
        "f:1: value.sqlite: map expected, found nothing. Write {} for the defaults\n");
}

TEST_CASE("rules over several settings") {
  CHECK(problems_of(with("issuer: main", "issuer: other")) ==
        "gw.yaml:15: routes[0].authenticate[0].jwt.issuer: no issuer is called \"other\"\n");
  // Half-read settings are not judged: with the issuers broken, nobody says that one is missing.
  CHECK(problems_of(with("name: main", "nam: main")) ==
        "gw.yaml:7: issuers[0].nam: unknown key. Did you mean name?\n"
        "gw.yaml:7: issuers[0].name: required, but absent. Add name (text)\n");
  // A mistake elsewhere keeps no rule from speaking that does not look at it.
  CHECK(problems_of(with("issuer: main", "issuer: other") + "verbose: maybe\n") ==
        "gw.yaml:15: routes[0].authenticate[0].jwt.issuer: no issuer is called \"other\"\n"
        "gw.yaml:19: verbose: true or false expected, found \"maybe\"\n");
  CHECK(problems_in(sample::listener_schema,
                    "address: 1.2.3.4:1\ntls: {certificate: a, key_file: b}\ndangerous_plaintext: true\n") ==
        "gw.yaml:3: dangerous_plaintext: a listener with tls cannot be plain. Remove it\n");
  CHECK(problems_in(sample::issuer_schema, "name: a\naudience: [b]\n") ==
        "gw.yaml:1: exactly one of jwks_url, secret expected, found none\n");
  CHECK(problems_in(sample::issuer_schema, "{name: a, audience: [b], jwks_url: https://x, secret_file: y}") ==
        "gw.yaml:1: exactly one of jwks_url, secret expected, found jwks_url and secret. Keep one of them\n");
  CHECK(problems_in(sample::issuer_schema, "{name: a, audience: [b], jwks_url: http://x}") ==
        "gw.yaml:1: jwks_url: URL that starts with https:// expected, found \"http://x\"\n");
  const auto at_most = sample::limits_schema.at_most_one_of({"pause", "messages"});
  CHECK(problems_in(at_most, "{}") == "");
  CHECK(problems_in(at_most, "{pause: 1s, messages: 1/s}") ==
        "gw.yaml:1: at most one of pause, messages expected, found pause and messages. Keep one of them\n");
}

TEST_CASE("a check tells what was written from what is a default") {
  bool given = false;
  bool absent = true;
  const auto schema = sample::limits_schema.validated_by([&](const sample::RouteLimits&, Check& check) {
    given = check.is_given("pause");
    absent = !check.is_given("messages");
  });
  CHECK(problems_in(schema, "pause: 0s") == "");
  CHECK(given);
  CHECK(absent);
}

TEST_CASE("dangerous settings in force are collected and must be acknowledged") {
  auto reading =
      read(sample::config_schema,
           with("  - address: \"[::1]:8080\"\n", "  - address: 0.0.0.0:8080\n    dangerous_plaintext: true\n"),
           "gw.yaml", context());
  REQUIRE(reading.ok());
  REQUIRE(reading.dangers.size() == 1);
  CHECK(reading.dangers[0].path == "listen[1].dangerous_plaintext");
  CHECK(reading.dangers[0].name == "dangerous_plaintext");
  CHECK(reading.dangers[0].mark.line == 5);
  Check check = reading.check();
  check_acknowledged(reading.dangers, {"dangerous_plaintext"}, check);
  CHECK(reading.ok());
  check_acknowledged(reading.dangers, {}, check);
  CHECK(
      reading.problems.text() ==
      "gw.yaml:5: listen[1].dangerous_plaintext: lowers a guarantee and is not acknowledged: Accepts plain connections "
      "from other machines. Remove it, or add dangerous_plaintext to acknowledge\n");
  auto unused = read(sample::config_schema, good + "acknowledge:\n  - dangerous_x\n", "gw.yaml", context());
  REQUIRE(unused.ok());
  Check of_unused = unused.check();
  check_acknowledged(unused.dangers, unused.config.acknowledge, of_unused);
  CHECK(unused.problems.text() ==
        "gw.yaml:20: acknowledge[0]: \"dangerous_x\" is acknowledged, but not in force. Remove it from the list\n");
  // Written but not in force.
  CHECK(read(sample::config_schema,
             with("  - address: \"[::1]:8080\"\n", "  - address: 0.0.0.0:8080\n    dangerous_plaintext: false\n"),
             "gw.yaml", context())
            .dangers.empty());
}

TEST_CASE("a dangerous alternative is dangerous when it is chosen") {
  struct Open {};
  struct Door {
    Choice lock;
  };
  const auto open = schema<Open>("open", "Lets in anybody.");
  const auto door = schema("door", "A door.",
                           field(&Door::lock, "lock", "Its lock.", required,
                                 one_of({choice("dangerous_open", open), choice("shut", open)})));
  const auto reading = read(door, "lock: { dangerous_open: {} }\n", "gw.yaml", context());
  REQUIRE(reading.ok());
  REQUIRE(reading.dangers.size() == 1);
  CHECK(reading.dangers[0].path == "lock.dangerous_open");
  CHECK(reading.dangers[0].name == "dangerous_open");
  CHECK(read(door, "lock: { shut: {} }\n", "gw.yaml", context()).dangers.empty());
}

TEST_CASE("what only the world tells is reported at its place too") {
  auto reading = read(sample::config_schema, good, "gw.yaml", context());
  REQUIRE(reading.ok());
  Check check = reading.check();
  check.problem("listen[0].tls.certificate", "no such file");
  check.problem("issuers[1].secret", "environment variable OWN_SECRET is not set");
  check.problem("listen[0].tls.key", "no such file");
  check.problem("listen[7].tls", "nowhere");
  check.problem(reading.config.routes[0].authenticate[1], "", "not here");
  CHECK(!reading.ok());
  CHECK(reading.problems.text() ==
        "gw.yaml:2: listen[7].tls: nowhere\n"
        "gw.yaml:3: listen[0].tls.certificate: no such file\n"
        "gw.yaml:3: listen[0].tls.key: no such file\n"
        "gw.yaml:10: issuers[1].secret: environment variable OWN_SECRET is not set\n"
        "gw.yaml:16: routes[0].authenticate[1].mtls: not here\n");
}

TEST_CASE("a schema that contradicts itself is a bug, found when it is made") {
  using B = One<bool>;
  CHECK_THROWS_AS(schema("x", "X.", field(&B::value, "harmless", "Doc.", dangerous)), BugError);
  CHECK_THROWS_AS(schema("x", "X.", field(&B::value, "dangerous_x", "Doc.")), BugError);
  CHECK_THROWS_AS(schema("x", "X.", field(&B::value, "a", "Doc."), field(&B::value, "a", "Doc.")), BugError);
  struct Collision {
    SecretSource key;
    FilePath file;
  };
  const auto key = field(&Collision::key, "key", "Doc.");
  const auto file = field(&Collision::file, "key_file", "Doc.");
  CHECK_THROWS_AS(schema("x", "X.", key, file), BugError);
  CHECK_THROWS_AS(schema("x", "X.", file, key), BugError);
  const auto test = [](const auto&) -> std::optional<std::string> { return std::nullopt; };
  CHECK_THROWS_AS(one<std::string>(between(0, 1)), BugError);
  CHECK_THROWS_AS(one<Rate>(between(0, 1)), BugError);
  CHECK_THROWS_AS(one<int>(length(0, 1)), BugError);
  CHECK_THROWS_AS(one<int>(may_be_empty), BugError);
  CHECK_THROWS_AS(one<int>(items(0, 1)), BugError);
  CHECK_THROWS_AS(one<int>(sample::limits_schema), BugError);
  CHECK_THROWS_AS(one<int>(one_of({choice("memory", sample::memory_schema)})), BugError);
  CHECK_THROWS_AS(one<Choice>(), BugError);
  CHECK_THROWS_AS(one<int>(checked<unsigned>(test)), BugError);
  CHECK_NOTHROW(one<std::vector<int>>(checked<int>(test), checked<std::vector<int>>(test), items(0, 1), between(0, 1)));
  CHECK_NOTHROW(one<std::optional<std::string>>(checked<std::string>(test), length(0, 1)));
  CHECK_THROWS_AS(one<int>(between(0s, 1s)), BugError);
  CHECK_THROWS_AS(one<ByteSize>(between(0, 1)), BugError);
  CHECK_THROWS_AS(one<sample::Jwt>(sample::limits_schema), BugError);
  CHECK_THROWS_AS(one<sample::Jwt>(), BugError);
  CHECK_THROWS_AS(one<bool>([](Options&) {}).exactly_one_of({"b"}).validated_by([](const B&, Check&) {}), BugError);
}
