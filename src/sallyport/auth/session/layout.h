#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "sallyport/config/field.h"

/// How the frameworks lay their sessions out in each kind of store, where nobody has changed their defaults.
namespace sallyport::auth {

/// What a column says about a session's end.
enum class ExpiresAs : std::uint8_t { timestamp, seconds, milliseconds };
std::vector<config::EnumName<ExpiresAs>> enum_names(ExpiresAs);

/// A second table with a row for each attribute of a session, as Spring Session has it.
struct AttributeTable {
  std::string suffix;   ///< of its name, after that of the first table; empty: there is none
  std::string parent;   ///< its column that refers to the session
  std::string primary;  ///< the column of the first table that is referred to
  std::string name;     ///< its columns
  std::string value;
  std::string prefix;  ///< put before the names in StoredSession::fields
};

struct SqlLayout {
  std::string table;
  std::string key;
  std::string data;                 ///< empty: no such column
  std::vector<std::string> fields;  ///< further columns
  std::string expires;              ///< empty: the table does not say
  ExpiresAs expires_as = ExpiresAs::timestamp;
  AttributeTable attributes = {};
};

enum class RedisKind : std::uint8_t { text, hash };

/// Empty texts: the framework does not keep sessions in such a store, so that the configuration must say it all.
struct SessionLayout {
  std::string redis_prefix;
  RedisKind redis_kind = RedisKind::text;  ///< a hash becomes StoredSession::fields
  SqlLayout postgres;
  SqlLayout mysql;
  SqlLayout sqlite;
  std::string file_pattern;  ///< `{id}` stands for the key
  std::string memcached_prefix;
  /// Where the store knows only when a session was last used (a column, a file's time of change): how long it lasts from there.
  /// Zero: what the store says is the end itself, and files do not say it.
  std::chrono::seconds sql_lifetime{0};
  std::chrono::seconds file_lifetime{0};
};

/// express-session with connect-redis, connect-pg-simple, express-mysql-session, connect-sqlite3, session-file-store.
SessionLayout express_layout();
/// PHP's own handlers: files, phpredis, memcached.
SessionLayout php_layout();
/// `db`, `cache` on django-redis, `file`; `cached_db` is read from its table.
SessionLayout django_layout();
/// Flask-Session.
SessionLayout flask_layout();
/// activerecord-session_store; Redis by redis-session-store.
SessionLayout rails_layout();
/// The drivers `redis`, `database`, `file`, `memcached`.
SessionLayout laravel_layout();
/// RedisSessionRepository and JdbcIndexedSessionRepository.
SessionLayout spring_layout();
/// The `database` strategy with the adapters for PostgreSQL and MySQL.
SessionLayout authjs_layout();

}  // namespace sallyport::auth
