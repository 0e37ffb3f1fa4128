#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "sallyport/base/clock.h"
#include "sallyport/base/result.h"

struct sqlite3;
struct sqlite3_stmt;

namespace sallyport::store {

class Query;

/// One connection to one database file, with the statements prepared on it.
/// Errors:  `store.unavailable` with SQLite's words, everywhere.
/// Threads: one at a time.
class Database {
 public:
  /// Opens a file that exists; never creates one. `path` is absolute.
  static Result<Database> open(const std::string& path, std::chrono::milliseconds busy_timeout);

  Database(Database&& other) noexcept;
  Database& operator=(Database&&) = delete;
  ~Database();

  /// How long a statement from now on waits for a lock.
  void wait_for_locks(std::chrono::milliseconds longest);
  /// `sql` is a literal of one statement: it is prepared once and kept under its address.
  Query query(const char* sql);
  /// Runs statements that yield no rows and are not worth keeping.
  Result<void> run(const char* sql);
  /// Rows changed by the latest insert, update or delete.
  std::size_t changes() const;
  std::int64_t last_insert_id() const;
  /// Whether an error has left the connection in doubt, so that it is better opened anew.
  bool in_doubt() const { return in_doubt_; }

 private:
  friend class Query;
  Database(sqlite3* handle, std::string path) : handle_(handle), path_(std::move(path)) {}
  Error failure(int code);

  sqlite3* handle_;
  std::string path_;
  std::map<const char*, sqlite3_stmt*> statements_;
  bool in_doubt_ = false;
};

/// One use of a prepared statement: bind its parameters in order, then step through its rows and take their columns in
/// order. Lifetime: views into a row last until the next next(). One Query per statement at a time; destroyed before
/// its Database.
class Query {
 public:
  ~Query();
  Query(const Query&) = delete;
  Query& operator=(const Query&) = delete;

  Query& bind(std::int64_t value);
  Query& bind(WallTime value) { return bind(to_unix_ms(value)); }
  /// As a BLOB, whatever the bytes are. Copied.
  Query& bind(std::string_view value);
  template <class T>
  Query& bind(const std::optional<T>& value) {
    return value ? bind(*value) : bind_null();
  }

  /// Whether there is a row. An error of an earlier bind() is told here.
  Result<bool> next();
  /// Steps to the end. Only then has a change been committed.
  Result<void> finish();

  bool is_null() const;  ///< of the column that comes next
  std::int64_t integer();
  WallTime time() { return WallTime(std::chrono::milliseconds(integer())); }
  std::string_view bytes();
  std::optional<WallTime> optional_time();
  std::optional<std::string> optional_bytes();

 private:
  friend class Database;
  Query(Database& database, sqlite3_stmt* statement, int code)
      : database_(database), statement_(statement), code_(code) {}
  Query& bind_null();

  Database& database_;
  sqlite3_stmt* statement_;
  int code_;
  int parameter_ = 0;
  int column_ = 0;
};

/// `BEGIN IMMEDIATE`; rolls back unless committed.
class Transaction {
 public:
  explicit Transaction(Database& database) : database_(database) {}
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;
  ~Transaction();

  Result<void> begin();
  Result<void> commit();

 private:
  Database& database_;
  bool open_ = false;
};

}  // namespace sallyport::store
