#include "sallyport/auth/session/store_config.h"

#include <doctest/doctest.h>

#include <string>

#include "sallyport/auth/session/store_url.h"

namespace sallyport::auth {
namespace {

struct Holder {
  std::optional<SessionStoreConfig> store;
};

config::Reading<Holder> read(const std::string& yaml) {
  const auto schema = config::schema(
      "holder", "A store.", config::field(&Holder::store, "store", "The store.", config::one_of(session_stores())));
  return config::read(schema, yaml, "test.yaml", {});
}

TEST_CASE("store_config: each kind is read") {
  const auto redis = read("store: { redis: { url: 'rediss://gw@redis.internal:6380/2', prefix: '' } }");
  REQUIRE(redis.ok());
  CHECK(std::get<RedisSessions>(*redis.config.store).prefix == "");
  const auto postgres = read(
      "store: { postgres: { url: 'postgres://gw@127.0.0.1/app', table: web.session, columns: { key: sid, expires_as: "
      "seconds } } }");
  REQUIRE(postgres.ok());
  CHECK(std::get<PostgresSessions>(*postgres.config.store).columns.expires_as == ExpiresAs::seconds);
  CHECK(read("store: { mysql: { url: 'mysql://gw@127.0.0.1/app' } }").ok());
  CHECK(read("store: { sqlite: { path: db.sqlite3 } }").ok());
  CHECK(read("store: { files: { path: /var/lib/php/sessions, pattern: 'sess_{id}', depth: 2, lifetime: 24m } }").ok());
  CHECK(read("store: { memcached: { url: 'unix:/run/memcached.sock' } }").ok());
  CHECK(!read("").config.store.has_value());
}

TEST_CASE("store_config: what would be a hole is refused") {
  const std::string bad[] = {
      "store: { redis: { url: 'redis://:hunter2@127.0.0.1' } }",
      "store: { redis: { url: 'redis://redis.internal' } }",
      "store: { redis: { url: 'redis://127.0.0.1/app' } }",
      "store: { redis: { url: 'redis://127.0.0.1', ca_file: ca.pem } }",
      "store: { postgres: { url: 'postgres://127.0.0.1' } }",
      "store: { postgres: { url: 'postgres://127.0.0.1/app?sslmode=disable' } }",
      "store: { postgres: { url: 'postgres://127.0.0.1/app', table: 'a; drop table b' } }",
      "store: { mysql: { url: 'mysql://127.0.0.1/app', columns: { key: 'a`b' } } }",
      "store: { files: { path: /tmp, pattern: '../{id}' } }",
      "store: { files: { path: /tmp, pattern: 'sess' } }",
      "store: { files: { path: /tmp, pattern: '{id}{id}' } }",
      "store: { memcached: { url: 'memcached://10.0.0.1' } }",
      "store: { memcached: { url: 'memcached://127.0.0.1', prefix: 'a b' } }",
  };
  for (const std::string& yaml : bad) {
    CAPTURE(yaml);
    const auto reading = read(yaml);
    CHECK(!reading.ok());
    for (const auto& problem : reading.problems.all()) CHECK(problem.message.find("hunter2") == std::string::npos);
  }
}

TEST_CASE("store_config: to give up TLS is possible, but not in silence") {
  const auto reading = read("store: { redis: { url: 'redis://redis.internal', dangerous_plaintext: true } }");
  REQUIRE(reading.ok());
  REQUIRE(reading.dangers.size() == 1);
  CHECK(reading.dangers[0].name == "dangerous_plaintext");
}

TEST_CASE("store_url: every part is found") {
  const auto url = parse_store_url("postgresql://app@[::1]:6000/web", postgres_schemes);
  REQUIRE(url.ok());
  CHECK(url->host == "::1");
  CHECK(url->port == 6000);
  CHECK(url->user == "app");
  CHECK(url->database == "web");
  CHECK(url->stays_here());
  CHECK(url->place() == "[::1]:6000");
  const auto socket = parse_store_url("unix:/run/redis.sock:/3", redis_schemes);
  REQUIRE(socket.ok());
  CHECK(socket->socket_path == "/run/redis.sock");
  CHECK(socket->database == "3");
  CHECK(parse_store_url("redis://redis.internal", redis_schemes)->port == 6379);
  CHECK(!parse_store_url("redis://redis.internal", redis_schemes)->stays_here());
  CHECK(parse_store_url("rediss://r", redis_schemes)->kind == StoreUrl::Kind::tls);
}

TEST_CASE("store_url: what is no place is refused") {
  for (const char* text : {"", "redis", "http://a", "redis://", "redis://a/b c", "redis://@a", "unix:", "unix:relative",
                           "unix:/a:b", "redis://a/0/1", "redis://a/0?db=1", "postgresss://a"}) {
    CAPTURE(text);
    CHECK(!parse_store_url(text, redis_schemes).ok());
  }
}

}  // namespace
}  // namespace sallyport::auth
