#include "sallyport/auth/jwt/issuer.h"

#include <doctest/doctest.h>

#include "sallyport/auth/jwt/testing.h"

namespace sallyport::auth {
namespace {

using namespace std::chrono_literals;
using testing::TemporaryFile;
using testing::TokenMaker;

constexpr std::string_view head = "name: main\nissuer: https://id.example.com\naudience: [chat]\n";

config::Reading<IssuerConfig> read(std::string_view more, std::string_view start = head) {
  return config::read(issuer_schema(), std::string(start) + std::string(more), "test.yaml", {});
}

TEST_CASE("issuer: a full configuration") {
  const auto reading = read(R"(algorithms: [ES256, EdDSA]
keys: { jwks_url: "https://id.example.com/jwks.json", ca_file: /etc/ca.pem, refresh: 10m }
leeway: 5s
max_lifetime: 1h
types: [at+jwt]
claims: { roles: /realm_access/roles }
)");
  REQUIRE_MESSAGE(reading.ok(), reading.problems.text());
  CHECK(reading.config.algorithms == std::vector{crypto::Algorithm::ES256, crypto::Algorithm::EdDSA});
  CHECK(reading.config.keys.refresh == 10min);
  CHECK(reading.config.claims.roles == "/realm_access/roles");
  CHECK(reading.dangers.empty());
}

TEST_CASE("issuer: what it refuses to be configured") {
  const std::string file = "keys: { jwks_file: a.json }\n";
  CHECK(read("algorithms: [ES256]\n" + file).ok());
  CHECK(read("algorithms: [ES256, HS256]\n" + file).ok());
  CHECK(!read(file).ok());
  CHECK(!read("algorithms: []\n" + file).ok());
  CHECK(!read("algorithms: [none]\n" + file).ok());
  CHECK(!read("algorithms: [ES256]\n").ok());
  CHECK(!read("algorithms: [ES256]\nkeys: {}\n").ok());
  CHECK(!read("algorithms: [ES256]\nkeys: { jwks_file: a, secret_file: b }\n").ok());
  CHECK(!read("algorithms: [ES256]\nleeway: 6m\n" + file).ok());
  CHECK(!read("algorithms: [ES256]\nmax_lifetime: 0s\n" + file).ok());
  CHECK(!read("algorithms: [ES256]\ntypes: []\n" + file).ok());
  CHECK(read("algorithms: [ES256]\ntypes: [\"\"]\n" + file).ok());
  CHECK(!read("algorithms: [ES256]\n" + file, "name: main\nissuer: i\n").ok());
  CHECK(!read("algorithms: [ES256]\n" + file, "name: main\nissuer: i\naudience: []\n").ok());
  CHECK(!read("algorithms: [ES256]\n" + file, "name: main\nissuer: \"\"\naudience: [a]\n").ok());

  SUBCASE("secrets and key sets do not mix") {
    CHECK(read("algorithms: [HS256]\nkeys: { secret_file: s }\n").ok());
    CHECK(read("algorithms: [HS256]\nkeys: { secret: env:SECRET }\n").ok());
    CHECK(!read("algorithms: [HS256, ES256]\nkeys: { secret_file: s }\n").ok());
    CHECK(!read("algorithms: [HS256]\nkeys: { jwks_url: \"https://a.example/\" }\n").ok());
    CHECK(!read("algorithms: [ES256, HS256]\nkeys: { jwks_url: \"https://a.example/\" }\n").ok());
  }
  SUBCASE("plain http") {
    CHECK(!read("algorithms: [ES256]\nkeys: { jwks_url: \"http://a.example/\" }\n").ok());
    CHECK(read("algorithms: [ES256]\nkeys: { jwks_url: \"http://127.0.0.1:1/\" }\n").ok());
    const auto reading =
        read("algorithms: [ES256]\nkeys: { jwks_url: \"http://a.example/\", dangerous_plaintext_jwks: true }\n");
    CHECK(reading.ok());
    REQUIRE(reading.dangers.size() == 1);
    CHECK(reading.dangers[0].name == "dangerous_plaintext_jwks");
  }
  SUBCASE("settings of the URL without one") {
    CHECK(!read("algorithms: [ES256]\nkeys: { jwks_file: a, refresh: 1m }\n").ok());
    CHECK(!read("algorithms: [ES256]\nkeys: { jwks_file: a, ca_file: b }\n").ok());
    CHECK(!read("algorithms: [ES256]\nkeys: { jwks_url: \"https://a.example/\", refresh: 1s }\n").ok());
  }
}

TEST_CASE("issuer: made from its configuration") {
  const FakeClock clock;
  net::Loop loop(clock);
  const TokenMaker maker;
  const TemporaryFile jwks(maker.jwks());
  IssuerConfig config = testing::issuer_config(jwks.path());

  SUBCASE("a file") {
    const auto issuer = make_issuer(config, config::empty_environment(), loop).value();
    CHECK(issuer->name == "main");
    CHECK(issuer->keys->snapshot()->keys().size() == 1);
    CHECK(issuer->policy.issuers == std::vector<std::string>{"https://id.example.com"});
    CHECK(issuer->policy.required == std::vector<std::string>{"iss", "aud", "exp", "sub"});
  }
  SUBCASE("a file that is not there") {
    config.keys.jwks_file.path = "/nonexistent";
    const auto issuer = make_issuer(config, config::empty_environment(), loop);
    REQUIRE(!issuer.ok());
    CHECK(issuer.error().detail.starts_with("issuer 'main': "));
  }
  SUBCASE("a secret from a file") {
    const TemporaryFile secret(crypto::FakeRandom(3).bytes(40));
    config.keys = {};
    config.keys.secret = {config::SecretSource::Kind::file, secret.path()};
    config.algorithms = {crypto::Algorithm::HS256};
    CHECK(make_issuer(config, config::empty_environment(), loop).ok());
    config.algorithms = {crypto::Algorithm::HS512};
    CHECK(!make_issuer(config, config::empty_environment(), loop).ok());
  }
  SUBCASE("a secret from the environment, well-known or too short") {
    config.keys = {};
    config.keys.secret = {config::SecretSource::Kind::environment, "SECRET"};
    config.algorithms = {crypto::Algorithm::HS256};
    const auto with = [&](std::string value) {
      return make_issuer(config, [value](std::string_view) { return std::optional(value); }, loop).ok();
    };
    CHECK(with("q8Gz0mVb3xTn5rYk7wPd1sLf9hJc2uXe"));
    CHECK(!with("q8Gz0mVb3xTn5rYk7wPd1sLf9hJc2uX"));
    CHECK(!with("secretsecretsecretsecretsecretsecret"));
    CHECK(!make_issuer(config, config::empty_environment(), loop).ok());
  }
  SUBCASE("a URL, and again after a reload") {
    config.keys = {};
    config.keys.jwks_url = "https://id.example.com/jwks.json";
    const auto issuer = make_issuer(config, config::empty_environment(), loop).value();
    CHECK(!issuer->keys->snapshot());
    CHECK(make_issuer(config, config::empty_environment(), loop, issuer.get()).ok());
    config.keys.jwks_url = "http://id.example.com/jwks.json";
    CHECK(!make_issuer(config, config::empty_environment(), loop).ok());
  }
}

}  // namespace
}  // namespace sallyport::auth
