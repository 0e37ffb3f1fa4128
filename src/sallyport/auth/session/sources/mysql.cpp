#include <mysql.h>

#include <algorithm>
#include <mutex>

#include "sallyport/auth/session/sources/databases.h"

namespace sallyport::auth {
namespace {

constexpr const char* system_authorities = "/etc/ssl/certs/ca-certificates.crt";
constexpr unsigned timeout_seconds = 5;

struct Close {
  void operator()(MYSQL* connection) const { mysql_close(connection); }
  void operator()(MYSQL_STMT* statement) const { mysql_stmt_close(statement); }
};
using Connection = std::unique_ptr<MYSQL, Close>;
using Statement = std::unique_ptr<MYSQL_STMT, Close>;

Error trouble(const StoreUrl& url, const std::string& words) {
  return {Reason::store_unavailable, "MySQL at " + url.place() + ": " + words};
}

class MysqlQuery final : public SessionQuery {
 public:
  MysqlQuery(Connection connection, const StoreUrl& url, const SessionTable& table)
      : connection_(std::move(connection)), url_(url), table_(table) {}

  Result<FoundSessions> find(const std::vector<std::string>& keys, Instant deadline) override {
    SqlGathering gathering(table_.layout, table_.lifetime, keys);
    for (std::size_t begun = 0; begun < keys.size(); begun += most_keys_of_a_query) {
      if (std::chrono::steady_clock::now() >= deadline) return trouble(url_, "no answer in time");
      const auto count = std::min(most_keys_of_a_query, keys.size() - begun);
      TRY_OK(ask(std::span(keys).subspan(begun, count), gathering));
    }
    return std::move(gathering).finish();
  }

 private:
  Error failed(MYSQL_STMT* statement) const { return trouble(url_, mysql_stmt_error(statement)); }

  Result<void> ask(std::span<const std::string> keys, SqlGathering& gathering) {
    const Statement owned(mysql_stmt_init(connection_.get()));
    MYSQL_STMT* statement = owned.get();
    if (!statement) return trouble(url_, mysql_error(connection_.get()));
    const std::string sql = select_sessions(table_.layout, SqlDialect::mysql, keys.size());
    if (mysql_stmt_prepare(statement, sql.data(), sql.size()) != 0) return failed(statement);

    std::vector<MYSQL_BIND> parameters(keys.size(), MYSQL_BIND{});
    std::vector<unsigned long> sizes(keys.size());
    for (std::size_t i = 0; i < keys.size(); ++i) {
      sizes[i] = keys[i].size();
      parameters[i].buffer_type = MYSQL_TYPE_STRING;
      parameters[i].buffer = const_cast<char*>(keys[i].data());  // the interface does not know const; it only reads
      parameters[i].buffer_length = sizes[i];
      parameters[i].length = &sizes[i];
    }
    if (mysql_stmt_bind_param(statement, parameters.data()) != 0 || mysql_stmt_execute(statement) != 0)
      return failed(statement);

    const std::size_t columns = columns_of(table_.layout);
    if (mysql_stmt_field_count(statement) != columns) return trouble(url_, "an answer of another form");
    std::vector<MYSQL_BIND> results(columns, MYSQL_BIND{});
    std::vector<unsigned long> lengths(columns);
    std::vector<my_bool> nulls(columns);
    for (std::size_t i = 0; i < columns; ++i) {
      // Asked for without room: how much there is comes first, the bytes after it.
      results[i].buffer_type = MYSQL_TYPE_STRING;
      results[i].length = &lengths[i];
      results[i].is_null = &nulls[i];
    }
    if (mysql_stmt_bind_result(statement, results.data()) != 0 || mysql_stmt_store_result(statement) != 0)
      return failed(statement);
    for (;;) {
      const int fetched = mysql_stmt_fetch(statement);
      if (fetched == MYSQL_NO_DATA) return {};
      if (fetched != 0 && fetched != MYSQL_DATA_TRUNCATED) return failed(statement);
      std::vector<SqlValue> row(columns);
      for (std::size_t i = 0; i < columns; ++i) {
        if (nulls[i] != 0) continue;
        // Larger than a session may be: it will be left out, whatever it holds.
        row[i].emplace(std::min<std::size_t>(lengths[i], SessionSource::largest_session + 1), '\0');
        if (row[i]->empty()) continue;
        MYSQL_BIND column{};
        column.buffer_type = MYSQL_TYPE_STRING;
        column.buffer = row[i]->data();
        column.buffer_length = row[i]->size();
        if (mysql_stmt_fetch_column(statement, &column, static_cast<unsigned>(i), 0) != 0) return failed(statement);
      }
      gathering.add(std::move(row));
    }
  }

  Connection connection_;
  const StoreUrl& url_;
  const SessionTable& table_;
};

Result<Connection> connect(const DatabaseServer& server) {
  const StoreUrl& url = server.url;
  Connection connection(mysql_init(nullptr));
  if (!connection) return trouble(url, "out of memory");
  MYSQL* handle = connection.get();
  const auto on = my_bool{1};
  const unsigned off = 0;
  mysql_options(handle, MYSQL_OPT_CONNECT_TIMEOUT, &timeout_seconds);
  mysql_options(handle, MYSQL_OPT_READ_TIMEOUT, &timeout_seconds);
  mysql_options(handle, MYSQL_OPT_WRITE_TIMEOUT, &timeout_seconds);
  // A server could ask for any file of ours.
  mysql_options(handle, MYSQL_OPT_LOCAL_INFILE, &off);
  mysql_options(handle, MYSQL_SET_CHARSET_NAME, "utf8mb4");
  // Times come in UTC, whatever the server's zone is.
  mysql_options(handle, MYSQL_INIT_COMMAND, "set time_zone = '+00:00'");
  mysql_options(handle, MYSQL_INIT_COMMAND, "set session transaction read only");
  if (url.kind != StoreUrl::Kind::unix_socket && server.proof == ServerProof::certificate) {
    mysql_options(handle, MYSQL_OPT_SSL_ENFORCE, &on);
    mysql_options(handle, MYSQL_OPT_SSL_VERIFY_SERVER_CERT, &on);
    mysql_options(handle, MYSQL_OPT_SSL_CA, server.ca_file.empty() ? system_authorities : server.ca_file.c_str());
    mysql_options(handle, MARIADB_OPT_TLS_VERSION, "TLSv1.2,TLSv1.3");
  }
  const char* host = url.kind == StoreUrl::Kind::unix_socket ? "localhost" : url.host.c_str();
  const char* socket = url.kind == StoreUrl::Kind::unix_socket ? url.socket_path.c_str() : nullptr;
  if (!socket) {
    // `localhost` would otherwise mean a socket of the connector's choice.
    const unsigned tcp = MYSQL_PROTOCOL_TCP;
    mysql_options(handle, MYSQL_OPT_PROTOCOL, &tcp);
  }
  if (!mysql_real_connect(handle, host, url.user.empty() ? nullptr : url.user.c_str(),
                          server.password ? server.password->reveal().data() : nullptr, url.database.c_str(), url.port,
                          socket, 0)) {
    return trouble(url, mysql_error(handle));
  }
  return connection;
}

}  // namespace

OpenSessionQuery open_mysql(DatabaseServer server, SessionTable table) {
  // Left to the first connection, it would be done by several threads at once.
  static std::once_flag once;
  std::call_once(once, [] { mysql_library_init(0, nullptr, nullptr); });
  auto kept = std::make_shared<const std::pair<DatabaseServer, SessionTable>>(std::move(server), std::move(table));
  return [kept](Instant) -> Result<std::unique_ptr<SessionQuery>> {
    TRY(Connection connection, connect(kept->first));
    return std::unique_ptr<SessionQuery>(
        std::make_unique<MysqlQuery>(std::move(connection), kept->first.url, kept->second));
  };
}

}  // namespace sallyport::auth
