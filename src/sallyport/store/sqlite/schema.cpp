#include "sallyport/store/sqlite/schema.h"

#include <iterator>

namespace sallyport::store {
namespace {

// Marks the file as Sallyport's: "Saly".
constexpr std::int64_t application_id = 0x53616c79;

// Each brings the schema from the version of its place to the next one. A release that has shipped is never edited: add
// a row. Values that come from outside are BLOB: SQLite leaves text with NUL in it undefined.
constexpr const char* migrations[] = {
    R"(
      CREATE TABLE token (
        hash BLOB PRIMARY KEY NOT NULL,
        id BLOB UNIQUE NOT NULL,
        subject BLOB NOT NULL,
        session_id BLOB NOT NULL,
        tenant BLOB NOT NULL,
        scopes BLOB NOT NULL,
        roles BLOB NOT NULL,
        issued_at INTEGER NOT NULL,
        expires_at INTEGER NOT NULL,
        last_used_at INTEGER,
        revoked_at INTEGER
      ) STRICT, WITHOUT ROWID;
      CREATE INDEX token_by_expiry ON token (expires_at);
      CREATE TABLE revocation (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        handle BLOB NOT NULL,
        value BLOB NOT NULL,
        issuer BLOB,
        issued_before INTEGER,
        created_at INTEGER NOT NULL,
        keep_until INTEGER NOT NULL,
        reason BLOB NOT NULL
      ) STRICT;
      CREATE INDEX revocation_by_end ON revocation (keep_until);
    )",
    R"(
      CREATE TABLE claim (
        key BLOB PRIMARY KEY NOT NULL,
        until INTEGER NOT NULL
      ) STRICT, WITHOUT ROWID;
      CREATE INDEX claim_by_end ON claim (until);
      CREATE TABLE once (
        key BLOB PRIMARY KEY NOT NULL,
        value BLOB NOT NULL,
        until INTEGER NOT NULL
      ) STRICT, WITHOUT ROWID;
      CREATE INDEX once_by_end ON once (until);
    )",
    R"(
      ALTER TABLE token ADD COLUMN issuer BLOB NOT NULL DEFAULT x'';
      ALTER TABLE token ADD COLUMN route BLOB NOT NULL DEFAULT x'';
    )",
};
constexpr std::int64_t present_version = std::size(migrations);

Result<std::int64_t> read_integer(Database& database, const char* sql) {
  Query query = database.query(sql);
  TRY(const bool found, query.next());
  return found ? query.integer() : 0;
}

Error foreign(const std::string& path) {
  return {Reason::config_invalid,
          "'" + path + "' is a database of another program; give store.sqlite.path a file of its own"};
}

Error too_new(const std::string& path, std::int64_t version) {
  return {Reason::config_invalid, "'" + path + "' has schema version " + std::to_string(version) +
                                      " and this program knows " + std::to_string(present_version) +
                                      ": a newer Sallyport wrote it; run that version, or give another file"};
}

}  // namespace

Result<void> migrate_schema(Database& database, const std::string& path) {
  Transaction transaction(database);
  TRY_OK(transaction.begin());
  TRY(const auto application, read_integer(database, "PRAGMA application_id"));
  TRY(const auto tables, read_integer(database, "SELECT count(*) FROM sqlite_schema"));
  TRY(const auto version, read_integer(database, "PRAGMA user_version"));
  if (application != application_id && (tables != 0 || version != 0 || application != 0)) return foreign(path);
  if (version > present_version) return too_new(path, version);
  if (version < 0) return foreign(path);
  if (version == present_version) return {};
  for (auto next = version; next < present_version; ++next) TRY_OK(database.run(migrations[next]));
  TRY_OK(database.run(("PRAGMA application_id=" + std::to_string(application_id)).c_str()));
  TRY_OK(database.run(("PRAGMA user_version=" + std::to_string(present_version)).c_str()));
  return transaction.commit();
}

Result<void> check_schema(Database& database, const std::string& path) {
  TRY(const auto application, read_integer(database, "PRAGMA application_id"));
  if (application != application_id) return foreign(path);
  TRY(const auto version, read_integer(database, "PRAGMA user_version"));
  if (version > present_version) return too_new(path, version);
  if (version < present_version) {
    return Error{Reason::config_invalid, "'" + path + "' has the older schema version " + std::to_string(version) +
                                             "; restart to bring it up to date"};
  }
  return {};
}

}  // namespace sallyport::store
