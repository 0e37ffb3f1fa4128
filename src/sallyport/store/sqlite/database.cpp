#include "sallyport/store/sqlite/database.h"

#include <sqlite3.h>

#include <utility>

namespace sallyport::store {

Result<Database> Database::open(const std::string& path, std::chrono::milliseconds busy_timeout) {
  sqlite3* handle = nullptr;
  const int code = sqlite3_open_v2(path.c_str(), &handle,
                                   SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, nullptr);
  Database database(handle, path);
  if (code != SQLITE_OK) return database.failure(code);
  database.wait_for_locks(busy_timeout);
  // A file that somebody else has prepared gets no chance to run code of its own.
  sqlite3_db_config(handle, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
  sqlite3_db_config(handle, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
  sqlite3_db_config(handle, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, nullptr);
  sqlite3_db_config(handle, SQLITE_DBCONFIG_ENABLE_VIEW, 0, nullptr);
  return database;
}

Database::Database(Database&& other) noexcept
    : handle_(std::exchange(other.handle_, nullptr)),
      path_(std::move(other.path_)),
      statements_(std::move(other.statements_)),
      in_doubt_(other.in_doubt_) {
  other.statements_.clear();
}

Database::~Database() {
  for (const auto& [sql, statement] : statements_) sqlite3_finalize(statement);
  sqlite3_close(handle_);
}

Error Database::failure(int code) {
  const int kind = code & 0xff;
  if (kind != SQLITE_BUSY && kind != SQLITE_CONSTRAINT) in_doubt_ = true;
  const char* words =
      handle_ && sqlite3_extended_errcode(handle_) == code ? sqlite3_errmsg(handle_) : sqlite3_errstr(code);
  return Error{Reason::store_unavailable,
               "database '" + path_ + "': " + words + " (SQLite code " + std::to_string(code) + ")"};
}

void Database::wait_for_locks(std::chrono::milliseconds longest) {
  sqlite3_busy_timeout(handle_, static_cast<int>(longest.count()));
}

Query Database::query(const char* sql) {
  const auto found = statements_.find(sql);
  if (found != statements_.end()) return Query(*this, found->second, SQLITE_OK);
  sqlite3_stmt* statement = nullptr;
  const int code = sqlite3_prepare_v3(handle_, sql, -1, SQLITE_PREPARE_PERSISTENT, &statement, nullptr);
  if (code == SQLITE_OK) statements_.emplace(sql, statement);
  return Query(*this, statement, code);
}

Result<void> Database::run(const char* sql) {
  const int code = sqlite3_exec(handle_, sql, nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) return failure(code);
  return {};
}

std::size_t Database::changes() const { return static_cast<std::size_t>(sqlite3_changes64(handle_)); }
std::int64_t Database::last_insert_id() const { return sqlite3_last_insert_rowid(handle_); }

Query::~Query() {
  if (!statement_) return;
  sqlite3_reset(statement_);
  sqlite3_clear_bindings(statement_);
}

Query& Query::bind(std::int64_t value) {
  if (code_ == SQLITE_OK) code_ = sqlite3_bind_int64(statement_, ++parameter_, value);
  return *this;
}

Query& Query::bind(std::string_view value) {
  if (code_ != SQLITE_OK) return *this;
  // A null pointer would bind NULL, which is not the empty string.
  const char* data = value.empty() ? "" : value.data();
  code_ = sqlite3_bind_blob64(statement_, ++parameter_, data, value.size(), SQLITE_TRANSIENT);
  return *this;
}

Query& Query::bind_null() {
  if (code_ == SQLITE_OK) code_ = sqlite3_bind_null(statement_, ++parameter_);
  return *this;
}

Result<bool> Query::next() {
  if (code_ != SQLITE_OK) return database_.failure(code_);
  column_ = 0;
  const int code = sqlite3_step(statement_);
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) return false;
  return database_.failure(code);
}

Result<void> Query::finish() {
  for (;;) {
    TRY(const bool more, next());
    if (!more) return {};
  }
}

bool Query::is_null() const { return sqlite3_column_type(statement_, column_) == SQLITE_NULL; }

std::int64_t Query::integer() { return sqlite3_column_int64(statement_, column_++); }

std::string_view Query::bytes() {
  const auto* data = static_cast<const char*>(sqlite3_column_blob(statement_, column_));
  const auto size = static_cast<std::size_t>(sqlite3_column_bytes(statement_, column_));
  ++column_;
  return data ? std::string_view(data, size) : std::string_view();
}

std::optional<WallTime> Query::optional_time() {
  const bool absent = is_null();
  const WallTime value = time();
  return absent ? std::nullopt : std::optional(value);
}

std::optional<std::string> Query::optional_bytes() {
  const bool absent = is_null();
  const std::string_view value = bytes();
  return absent ? std::nullopt : std::optional<std::string>(value);
}

Transaction::~Transaction() {
  if (open_) [[maybe_unused]]
    const auto ignored = database_.run("ROLLBACK");
}

Result<void> Transaction::begin() {
  TRY_OK(database_.run("BEGIN IMMEDIATE"));
  open_ = true;
  return {};
}

Result<void> Transaction::commit() {
  TRY_OK(database_.run("COMMIT"));
  open_ = false;
  return {};
}

}  // namespace sallyport::store
