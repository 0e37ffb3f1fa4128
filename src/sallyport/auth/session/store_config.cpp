#include "sallyport/auth/session/store_config.h"

#include <algorithm>

#include "sallyport/auth/session/store_url.h"

namespace sallyport::auth {
namespace {

using namespace std::chrono_literals;
using config::between;
using config::Check;
using config::checked;
using config::example;
using config::field;
using config::required;

using Complaint = std::optional<std::string>;

constexpr const char* plaintext_doc =
    "Talks to another machine without TLS: whoever is on the way reads and forges sessions, and the password.";
constexpr const char* user_doc = "Whom to log in as, where the URL does not say it.";
constexpr const char* password_doc = "The password. Absent: none is sent.";
constexpr const char* ca_doc = "PEM file with the authorities of the server's certificate. Absent: the system's.";
constexpr const char* lifetime_doc =
    "How long a session lasts after the time that its store knows, where that is the time of its last use. Absent: as "
    "the framework has it.";

auto is_url(const StoreSchemes& schemes) {
  return checked<std::string>([&schemes](const std::string& text) -> Complaint {
    const auto url = parse_store_url(text, schemes);
    return url.ok() ? Complaint() : Complaint(url.error().detail);
  });
}

bool is_identifier(std::string_view text) {
  return !text.empty() && text.size() <= 64 && (text[0] < '0' || text[0] > '9') &&
         std::ranges::all_of(text, [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
         });
}

auto is_column() {
  return checked<std::string>([](const std::string& text) -> Complaint {
    if (text.empty() || is_identifier(text)) return std::nullopt;
    return "the name of a column (letters, digits, underscores) expected, found " + config::quoted(text);
  });
}

auto is_table() {
  return checked<std::string>([](const std::string& text) -> Complaint {
    const auto dot = text.find('.');
    const bool good = dot == std::string::npos
                          ? is_identifier(text)
                          : is_identifier(text.substr(0, dot)) && is_identifier(text.substr(dot + 1));
    if (text.empty() || good) return std::nullopt;
    return "the name of a table (letters, digits, underscores; perhaps a schema and a dot before it) expected, found " +
           config::quoted(text);
  });
}

config::Schema<SessionColumns> columns_schema() {
  return config::schema(
      "auth.session.columns", "The columns of the table, where they are not those of the framework.",
      field(&SessionColumns::key, "key", "What the cookie names a session by. A unique index must begin with it.",
            is_column()),
      field(&SessionColumns::data, "data", "The serialized session; empty: there is no such column.",
            config::may_be_empty, is_column()),
      field(&SessionColumns::fields, "fields", "Further columns that the session consists of.", is_column()),
      field(&SessionColumns::expires, "expires", "When the session ends, or was last used; empty: the table has none.",
            config::may_be_empty, is_column()),
      field(&SessionColumns::expires_as, "expires_as", "How that is written."));
}

template <class C>
auto plaintext_rule(const StoreSchemes& schemes) {
  return [&schemes](const C& config, Check& check) {
    const auto url = parse_store_url(config.url, schemes);
    if (!url.ok() || url->kind == StoreUrl::Kind::tls) return;
    if (url->stays_here() || config.dangerous_plaintext) return;
    check.problem("url", "sessions and passwords must not travel to another machine in clear",
                  schemes.tls.empty() ? "Connect through a unix socket or a tunnel on this machine"
                                      : "Write " + std::string(schemes.tls) + "://");
  };
}

config::Schema<RedisSessions> redis_schema() {
  return config::schema(
             "auth.session.redis", "Sessions in Redis, or in what speaks its protocol (no cluster, no sentinel).",
             field(&RedisSessions::url, "url",
                   "`redis://[user@]host[:port][/number]`, with TLS `rediss://`, or `unix:/path[:/number]`.", required,
                   example("rediss://redis.internal/0"), is_url(redis_schemes)),
             field(&RedisSessions::user, "user", user_doc), field(&RedisSessions::password, "password", password_doc),
             field(&RedisSessions::ca_file, "ca_file", ca_doc),
             field(&RedisSessions::prefix, "prefix",
                   "What stands before the session's id in a key. Absent: as the framework has it.",
                   config::may_be_empty, config::length(0, 128)),
             field(&RedisSessions::dangerous_plaintext, "dangerous_plaintext", plaintext_doc, config::dangerous))
      .validated_by(plaintext_rule<RedisSessions>(redis_schemes), {"url"})
      .validated_by(
          [](const RedisSessions& config, Check& check) {
            const auto url = parse_store_url(config.url, redis_schemes);
            if (!url.ok()) return;
            const std::string& number = url->database;
            const bool good =
                number.size() <= 4 && std::ranges::all_of(number, [](char c) { return c >= '0' && c <= '9'; });
            if (!good) check.problem("url", "a database of Redis is a number", "Write /0");
            if (!config.ca_file.empty() && url->kind != StoreUrl::Kind::tls)
              check.problem("ca_file", "there is no TLS to this server", "Write rediss:// in url, or remove this");
          },
          {"url", "ca_file"});
}

// What PostgreSQL and MySQL have in common; TLS is not a matter of the scheme but always on towards other machines.
template <class C>
config::Schema<C> server_schema(std::string name, std::string doc, const std::string& scheme,
                                const StoreSchemes& schemes, const std::string& example_url) {
  return config::schema(
             std::move(name), std::move(doc),
             field(&C::url, "url",
                   "`" + scheme +
                       "://user@host[:port]/database`, or `unix:/path:/database` for a socket on this machine. To "
                       "another machine always with "
                       "TLS and a certificate that is verified.",
                   required, example(example_url), is_url(schemes)),
             field(&C::user, "user", user_doc), field(&C::password, "password", password_doc),
             field(&C::ca_file, "ca_file", ca_doc),
             field(&C::table, "table", "The table, perhaps with its schema. Absent: as the framework has it.",
                   is_table()),
             field(&C::columns, "columns", "Its columns, where they are not those of the framework.", columns_schema()),
             field(&C::lifetime, "lifetime", lifetime_doc, between(1s, std::chrono::seconds(24h * 400))),
             field(&C::connections, "connections", "Connections to the database, each with a thread of its own.",
                   between(1, 16)),
             field(&C::dangerous_plaintext, "dangerous_plaintext", plaintext_doc, config::dangerous))
      .validated_by(
          [&schemes](const C& config, Check& check) {
            const auto url = parse_store_url(config.url, schemes);
            if (!url.ok()) return;
            if (url->database.empty()) check.problem("url", "the URL names no database", "Add /name");
            if (!config.ca_file.empty() && config.dangerous_plaintext)
              check.problem("ca_file", "dangerous_plaintext means that there is no TLS", "Keep one of the two");
          },
          {"url", "ca_file", "dangerous_plaintext"});
}

config::Schema<SqliteSessions> sqlite_schema() {
  return config::schema(
      "auth.session.sqlite", "Sessions in a file of SQLite, which is opened for reading only.",
      field(&SqliteSessions::path, "path", "The file.", required, example("/srv/app/db.sqlite3")),
      field(&SqliteSessions::table, "table", "The table. Absent: as the framework has it.", is_table()),
      field(&SqliteSessions::columns, "columns", "Its columns, where they are not those of the framework.",
            columns_schema()),
      field(&SqliteSessions::lifetime, "lifetime", lifetime_doc, between(1s, std::chrono::seconds(24h * 400))));
}

config::Schema<FileSessions> files_schema() {
  return config::schema(
      "auth.session.files", "Sessions in files of their own.",
      field(&FileSessions::path, "path", "The folder.", required, example("/var/lib/php/sessions")),
      field(&FileSessions::pattern, "pattern",
            "The name of a file; `{id}` stands for the session's id. Absent: as the framework has it.",
            example("sess_{id}"), checked<std::string>([](const std::string& text) -> Complaint {
              const auto at = text.find("{id}");
              if (text.empty()) return std::nullopt;
              if (at == std::string::npos || text.find('{', at + 1) != std::string::npos ||
                  text.find_first_of("/\\") != std::string::npos) {
                return "a file name with one {id} and no slash expected, found " + config::quoted(text);
              }
              return std::nullopt;
            })),
      field(&FileSessions::depth, "depth",
            "How many levels of folders, each named by the next character of the id, lie between (the `N` of PHP's "
            "`session.save_path`).",
            between(0, 8)),
      field(&FileSessions::lifetime, "lifetime", lifetime_doc, between(1s, std::chrono::seconds(24h * 400))));
}

config::Schema<MemcachedSessions> memcached_schema() {
  return config::schema(
             "auth.session.memcached", "Sessions in memcached 1.6 or later, one server.",
             field(&MemcachedSessions::url, "url", "`memcached://host[:port]` or `unix:/path`.", required,
                   example("memcached://127.0.0.1:11211"), is_url(memcached_schemes)),
             field(&MemcachedSessions::prefix, "prefix",
                   "What stands before the session's id in a key. Absent: as the framework has it.",
                   config::may_be_empty, config::length(0, 128), checked<std::string>([](const std::string& text) {
                     const bool good = std::ranges::all_of(text, [](char c) { return c > ' ' && c < 0x7f; });
                     return good ? Complaint() : Complaint("printable ASCII without spaces expected");
                   })),
             field(&MemcachedSessions::dangerous_plaintext, "dangerous_plaintext", plaintext_doc, config::dangerous))
      .validated_by(plaintext_rule<MemcachedSessions>(memcached_schemes), {"url"});
}

}  // namespace

std::vector<config::Alternative> session_stores() {
  return {config::choice("redis", redis_schema()),
          config::choice("postgres",
                         server_schema<PostgresSessions>("auth.session.postgres", "Sessions in PostgreSQL.", "postgres",
                                                         postgres_schemes, "postgres://sallyport@db.internal/app")),
          config::choice("mysql",
                         server_schema<MysqlSessions>("auth.session.mysql", "Sessions in MariaDB or MySQL.", "mysql",
                                                      mysql_schemes, "mysql://sallyport@db.internal/app")),
          config::choice("sqlite", sqlite_schema()),
          config::choice("files", files_schema()),
          config::choice("memcached", memcached_schema())};
}

}  // namespace sallyport::auth
