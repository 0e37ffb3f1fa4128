#include "sallyport/auth/session/layout.h"

namespace sallyport::auth {

using namespace std::chrono_literals;

std::vector<config::EnumName<ExpiresAs>> enum_names(ExpiresAs) {
  return {
      {ExpiresAs::timestamp, "timestamp",
       "The database's own type of time. Without a time zone of its own it is UTC, in PostgreSQL the time zone that "
       "is set for the user; in SQLite a text such as `2026-01-31 12:00:00.5`."},
      {ExpiresAs::seconds, "seconds", "A number of seconds since 1970."},
      {ExpiresAs::milliseconds, "milliseconds", "A number of milliseconds since 1970."}};
}

SessionLayout express_layout() {
  SessionLayout layout;
  layout.redis_prefix = "sess:";
  layout.postgres = {"session", "sid", "sess", {}, "expire"};
  layout.mysql = {"sessions", "session_id", "data", {}, "expires", ExpiresAs::seconds};
  layout.sqlite = {"sessions", "sid", "sess", {}, "expired", ExpiresAs::milliseconds};
  layout.file_pattern = "{id}.json";
  return layout;
}

SessionLayout php_layout() {
  SessionLayout layout;
  layout.redis_prefix = "PHPREDIS_SESSION:";
  layout.file_pattern = "sess_{id}";
  layout.file_lifetime = 1440s;
  layout.memcached_prefix = "memc.sess.key.";
  return layout;
}

SessionLayout django_layout() {
  SessionLayout layout;
  layout.redis_prefix = ":1:django.contrib.sessions.cache";
  layout.postgres = {"django_session", "session_key", "session_data", {}, "expire_date"};
  layout.mysql = layout.postgres;
  layout.sqlite = layout.postgres;
  layout.file_pattern = "sessionid{id}";
  layout.file_lifetime = 24h * 14;
  layout.memcached_prefix = layout.redis_prefix;
  return layout;
}

SessionLayout flask_layout() {
  SessionLayout layout;
  layout.redis_prefix = "session:";
  layout.memcached_prefix = "session:";
  return layout;
}

SessionLayout rails_layout() {
  SessionLayout layout;
  layout.postgres = {"sessions", "session_id", "data", {}, ""};
  layout.mysql = layout.postgres;
  layout.sqlite = layout.postgres;
  return layout;
}

SessionLayout laravel_layout() {
  SessionLayout layout;
  layout.redis_prefix = "laravel_database_laravel_cache:";
  layout.postgres = {"sessions", "id", "payload", {}, "last_activity", ExpiresAs::seconds};
  layout.mysql = layout.postgres;
  layout.sqlite = layout.postgres;
  layout.sql_lifetime = 2h;
  layout.file_pattern = "{id}";
  layout.file_lifetime = 2h;
  layout.memcached_prefix = "laravel_cache:";
  return layout;
}

SessionLayout spring_layout() {
  SessionLayout layout;
  layout.redis_prefix = "spring:session:sessions:";
  layout.redis_kind = RedisKind::hash;
  // Its script names the tables without quotes, which PostgreSQL takes for lower case.
  layout.postgres = {
      "spring_session",
      "session_id",
      "",
      {"principal_name", "last_access_time", "max_inactive_interval"},
      "expiry_time",
      ExpiresAs::milliseconds,
      {"_attributes", "session_primary_id", "primary_id", "attribute_name", "attribute_bytes", "sessionAttr:"}};
  layout.mysql = {
      "SPRING_SESSION",
      "SESSION_ID",
      "",
      {"PRINCIPAL_NAME", "LAST_ACCESS_TIME", "MAX_INACTIVE_INTERVAL"},
      "EXPIRY_TIME",
      ExpiresAs::milliseconds,
      {"_ATTRIBUTES", "SESSION_PRIMARY_ID", "PRIMARY_ID", "ATTRIBUTE_NAME", "ATTRIBUTE_BYTES", "sessionAttr:"}};
  layout.sqlite = layout.mysql;
  return layout;
}

SessionLayout authjs_layout() {
  SessionLayout layout;
  layout.postgres = {"sessions", "sessionToken", "", {"userId"}, "expires"};
  layout.mysql = {"session", "sessionToken", "", {"userId"}, "expires"};
  layout.sqlite = {"session", "sessionToken", "", {"userId"}, "expires", ExpiresAs::milliseconds};
  return layout;
}

}  // namespace sallyport::auth
