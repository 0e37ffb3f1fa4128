#include "sallyport/auth/session/sources/sql.h"

#include <doctest/doctest.h>

namespace sallyport::auth {
namespace {

using namespace std::chrono_literals;

TEST_CASE("sql: names are quoted, keys are parameters") {
  const SqlLayout django = django_layout().postgres;
  CHECK(
      select_sessions(django, SqlDialect::postgres, 3) ==
      R"(select s."session_key", floor(extract(epoch from s."expire_date"::timestamptz) * 1000)::bigint, s."session_data" from "django_session" s where s."session_key" = any($1))");
  SqlLayout odd = django;
  odd.table = "web.a`b";
  CHECK(select_sessions(odd, SqlDialect::mysql, 2) ==
        "select s.`session_key`, timestampdiff(microsecond, '1970-01-01', s.`expire_date`) div 1000, s.`session_data` "
        "from `web`.`a``b` s where s.`session_key` in (?,?)");
}

TEST_CASE("sql: attributes of a second table come with the session") {
  const SqlLayout spring = spring_layout().sqlite;
  const std::string sql = select_sessions(spring, SqlDialect::sqlite, 1);
  CHECK(sql.find(R"(left join "SPRING_SESSION_ATTRIBUTES" a on a."SESSION_PRIMARY_ID" = s."PRIMARY_ID")") !=
        std::string::npos);
  SqlGathering gathering(spring, 0s, {"k"});
  gathering.add({"k", "5000", "alice", "1", "1800", "A", "1"});
  gathering.add({"k", "5000", "alice", "1", "1800", "B", "2"});
  const FoundSessions found = std::move(gathering).finish();
  REQUIRE(found[0]);
  using Fields = std::vector<std::pair<std::string, std::string>>;
  CHECK(found[0]->fields == Fields{{"PRINCIPAL_NAME", "alice"},
                                   {"LAST_ACCESS_TIME", "1"},
                                   {"MAX_INACTIVE_INTERVAL", "1800"},
                                   {"sessionAttr:A", "1"},
                                   {"sessionAttr:B", "2"}});
  CHECK(found[0]->expires_at == from_unix_seconds(5));
}

TEST_CASE("sql: rows belong to the key that was asked for, byte for byte") {
  const SqlLayout layout = express_layout().postgres;
  SqlGathering gathering(layout, 60s, {"abc", "none", "abc"});
  gathering.add({"ABC", "1000", "not this"});
  gathering.add({"abc   ", "1000", "this"});
  gathering.add({std::nullopt, "1000", "nor this"});
  const FoundSessions found = std::move(gathering).finish();
  REQUIRE(found[0]);
  CHECK(found[0]->data == "this");
  CHECK(found[0]->expires_at == from_unix_seconds(61));
  CHECK(!found[1]);
  CHECK(found[2] == found[0]);
}

TEST_CASE("sql: an end that cannot be read is past, none is none, and a far one stays representable") {
  const SqlLayout layout = express_layout().postgres;
  SqlGathering gathering(layout, 0s, {"a", "b", "c"});
  gathering.add({"a", "soon", ""});
  gathering.add({"b", std::nullopt, ""});
  gathering.add({"c", "9223372036854775807", ""});
  const FoundSessions found = std::move(gathering).finish();
  CHECK(found[0]->expires_at == WallTime());
  CHECK(!found[1]->expires_at);
  CHECK(*found[2]->expires_at > from_unix_seconds(4'000'000'000));
}

TEST_CASE("sql: what is larger than a session may be is absent") {
  const SqlLayout layout = express_layout().postgres;
  SqlGathering gathering(layout, 0s, {"a", "b"});
  gathering.add({"a", std::nullopt, std::string(SessionSource::largest_session, 'x')});
  gathering.add({"b", std::nullopt, std::string(SessionSource::largest_session + 1, 'x')});
  const FoundSessions found = std::move(gathering).finish();
  CHECK(found[0].has_value());
  CHECK(!found[1]);
}

TEST_CASE("sql: an array of PostgreSQL keeps its items apart") {
  CHECK(postgres_array({"a", "b,c", "\"}", "\\"}) == R"({"a","b,c","\"}","\\"})");
}

TEST_CASE("session keys: what could mean something else is no key") {
  for (const char* key : {"a", "yV0zLSuYeQrEVPlJLqA1CzullZfCZtKF", "a.b-c_d,e:f=g+h@i~"})
    CHECK(check_session_key(key).ok());
  const std::string bad[] = {"",
                             "a b",
                             "../x",
                             "a/b",
                             "a\\b",
                             "a'b",
                             "a\"b",
                             "a\n",
                             "a%b",
                             "a*b",
                             "a;b",
                             std::string("a\0b", 3),
                             "\xc3\xa4",
                             std::string(257, 'a'),
                             std::string("a\0", 2)};
  for (const std::string& key : bad) {
    CAPTURE(key);
    REQUIRE(!check_session_key(key).ok());
    CHECK(check_session_key(key).error().reason == Reason::credential_invalid);
  }
}

}  // namespace
}  // namespace sallyport::auth
