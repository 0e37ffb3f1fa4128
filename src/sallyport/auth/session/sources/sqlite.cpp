#include <sqlite3.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "sallyport/auth/session/sources/databases.h"

namespace sallyport::auth {
namespace {

struct Close {
  void operator()(sqlite3* handle) const { sqlite3_close(handle); }
  void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
};
using Connection = std::unique_ptr<sqlite3, Close>;
using Statement = std::unique_ptr<sqlite3_stmt, Close>;

class SqliteQuery final : public SessionQuery {
 public:
  SqliteQuery(Connection connection, const struct stat& file, const std::string& path, const SessionTable& table)
      : connection_(std::move(connection)), file_(file), path_(path), table_(table) {}

  Result<FoundSessions> find(const std::vector<std::string>& keys, Instant deadline) override {
    struct stat now{};
    if (::stat(path_.c_str(), &now) != 0) return trouble(std::strerror(errno));
    if (now.st_dev != file_.st_dev || now.st_ino != file_.st_ino) return trouble("another file has taken its place");
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    sqlite3_busy_timeout(connection_.get(), static_cast<int>(std::clamp<std::int64_t>(left.count(), 0, 60'000)));
    SqlGathering gathering(table_.layout, table_.lifetime, keys);
    for (std::size_t begun = 0; begun < keys.size(); begun += most_keys_of_a_query) {
      const auto count = std::min(most_keys_of_a_query, keys.size() - begun);
      TRY_OK(ask(std::span(keys).subspan(begun, count), gathering));
    }
    return std::move(gathering).finish();
  }

  Error trouble(const char* words) const {
    return {Reason::store_unavailable, "database '" + path_ + "': " + std::string(words)};
  }

 private:
  Result<void> ask(std::span<const std::string> keys, SqlGathering& gathering) {
    sqlite3* handle = connection_.get();
    const std::string sql = select_sessions(table_.layout, SqlDialect::sqlite, keys.size());
    sqlite3_stmt* prepared = nullptr;
    if (sqlite3_prepare_v2(handle, sql.data(), static_cast<int>(sql.size()), &prepared, nullptr) != SQLITE_OK)
      return trouble(sqlite3_errmsg(handle));
    const Statement statement(prepared);
    for (std::size_t i = 0; i < keys.size(); ++i) {
      sqlite3_bind_text64(prepared, static_cast<int>(i + 1), keys[i].data(), keys[i].size(), SQLITE_STATIC,
                          SQLITE_UTF8);
    }
    for (;;) {
      const int code = sqlite3_step(prepared);
      if (code == SQLITE_DONE) return {};
      if (code != SQLITE_ROW) return trouble(sqlite3_errmsg(handle));
      std::vector<SqlValue> row(columns_of(table_.layout));
      for (std::size_t i = 0; i < row.size(); ++i) {
        const int column = static_cast<int>(i);
        if (sqlite3_column_type(prepared, column) == SQLITE_NULL) continue;
        // A BLOB as it is, all else as text.
        const auto* data = static_cast<const char*>(sqlite3_column_blob(prepared, column));
        const auto size = static_cast<std::size_t>(sqlite3_column_bytes(prepared, column));
        row[i].emplace(data ? std::string(data, size) : std::string());
      }
      gathering.add(std::move(row));
    }
  }

  Connection connection_;
  struct stat file_;
  const std::string& path_;
  const SessionTable& table_;
};

}  // namespace

OpenSessionQuery open_sqlite(std::string path, SessionTable table) {
  auto kept = std::make_shared<const std::pair<std::string, SessionTable>>(std::move(path), std::move(table));
  return [kept](Instant) -> Result<std::unique_ptr<SessionQuery>> {
    const std::string& file = kept->first;
    struct stat status{};
    if (::stat(file.c_str(), &status) != 0)
      return Error{Reason::store_unavailable, "database '" + file + "': " + std::strerror(errno)};
    sqlite3* handle = nullptr;
    const int code = sqlite3_open_v2(file.c_str(), &handle,
                                     SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, nullptr);
    Connection connection(handle);
    if (code != SQLITE_OK) return Error{Reason::store_unavailable, "database '" + file + "': " + sqlite3_errstr(code)};
    // A file that somebody else has prepared gets no chance to run code of its own.
    sqlite3_db_config(handle, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
    sqlite3_db_config(handle, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
    sqlite3_db_config(handle, SQLITE_DBCONFIG_DQS_DML, 0, nullptr);
    return std::unique_ptr<SessionQuery>(
        std::make_unique<SqliteQuery>(std::move(connection), status, file, kept->second));
  };
}

}  // namespace sallyport::auth
