#include <libpq-fe.h>
#include <poll.h>

#include <algorithm>

#include "sallyport/auth/session/sources/databases.h"

namespace sallyport::auth {
namespace {

constexpr const char* system_authorities = "/etc/ssl/certs/ca-certificates.crt";
constexpr Oid bytea = 17;

struct Finish {
  void operator()(PGconn* connection) const { PQfinish(connection); }
};
struct Clear {
  void operator()(PGresult* result) const { PQclear(result); }
};
using Connection = std::unique_ptr<PGconn, Finish>;
using Answer = std::unique_ptr<PGresult, Clear>;

// Without the line ends that libpq puts into its words.
Error trouble(const StoreUrl& url, std::string words) {
  std::ranges::replace(words, '\n', ' ');
  while (words.ends_with(' ')) words.pop_back();
  return {Reason::store_unavailable, "PostgreSQL at " + url.place() + ": " + words};
}

// Whether `events` came to the socket before `deadline`.
bool wait_on(PGconn* connection, short events, Instant deadline) {
  for (;;) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    if (left.count() <= 0) return false;
    pollfd socket{PQsocket(connection), events, 0};
    const int ready = ::poll(&socket, 1, static_cast<int>(std::min<std::int64_t>(left.count(), 60'000)));
    if (ready > 0) return true;
  }
}

class PostgresQuery final : public SessionQuery {
 public:
  PostgresQuery(Connection connection, const StoreUrl& url, const SessionTable& table)
      : connection_(std::move(connection)), url_(url), table_(table) {}

  Result<FoundSessions> find(const std::vector<std::string>& keys, Instant deadline) override {
    SqlGathering gathering(table_.layout, table_.lifetime, keys);
    for (std::size_t begun = 0; begun < keys.size(); begun += most_keys_of_a_query) {
      const auto first = keys.begin() + static_cast<std::ptrdiff_t>(begun);
      const auto count = std::min(most_keys_of_a_query, keys.size() - begun);
      TRY_OK(ask({first, first + static_cast<std::ptrdiff_t>(count)}, gathering, deadline));
    }
    return std::move(gathering).finish();
  }

 private:
  Result<void> ask(const std::vector<std::string>& keys, SqlGathering& gathering, Instant deadline) {
    PGconn* connection = connection_.get();
    const std::string sql = select_sessions(table_.layout, SqlDialect::postgres, keys.size());
    const std::string array = postgres_array(keys);
    const char* value = array.c_str();
    // The array is of the column's type, so that its index is used.
    // Never prepared under a name: a pool of connections between us and the server would not know it.
    if (PQsendQueryParams(connection, sql.c_str(), 1, nullptr, &value, nullptr, nullptr, 0) == 0)
      return trouble(url_, PQerrorMessage(connection));
    for (;;) {
      const int left = PQflush(connection);
      if (left < 0) return trouble(url_, PQerrorMessage(connection));
      if (left == 0) break;
      if (!wait_on(connection, POLLIN | POLLOUT, deadline)) return trouble(url_, "no answer in time");
      if (PQconsumeInput(connection) == 0) return trouble(url_, PQerrorMessage(connection));
    }
    bool answered = false;
    for (;;) {
      while (PQisBusy(connection) != 0) {
        if (!wait_on(connection, POLLIN, deadline)) return trouble(url_, "no answer in time");
        if (PQconsumeInput(connection) == 0) return trouble(url_, PQerrorMessage(connection));
      }
      const Answer answer(PQgetResult(connection));
      if (!answer) break;
      if (PQresultStatus(answer.get()) != PGRES_TUPLES_OK) {
        const char* state = PQresultErrorField(answer.get(), PG_DIAG_SQLSTATE);
        // A key that cannot be a value of the column, such as no UUID, is a key that nothing lies under.
        if (!state || !std::string_view(state).starts_with("22") || keys.size() != 1)
          return trouble(url_, PQresultErrorMessage(answer.get()));
        answered = true;
        continue;
      }
      if (static_cast<std::size_t>(PQnfields(answer.get())) != columns_of(table_.layout))
        return trouble(url_, "an answer of another form");
      for (int row = 0; row < PQntuples(answer.get()); ++row) gathering.add(read_row(answer.get(), row));
      answered = true;
    }
    if (!answered) return trouble(url_, "the connection was lost");
    return {};
  }

  static std::vector<SqlValue> read_row(PGresult* answer, int row) {
    std::vector<SqlValue> values;
    for (int column = 0; column < PQnfields(answer); ++column) {
      if (PQgetisnull(answer, row, column) != 0) {
        values.emplace_back();
        continue;
      }
      const char* data = PQgetvalue(answer, row, column);
      const auto size = static_cast<std::size_t>(PQgetlength(answer, row, column));
      if (PQftype(answer, column) != bytea) {
        values.emplace_back(std::string(data, size));
        continue;
      }
      std::size_t length = 0;
      unsigned char* bytes = PQunescapeBytea(reinterpret_cast<const unsigned char*>(data), &length);
      values.emplace_back(bytes ? std::string(reinterpret_cast<char*>(bytes), length) : std::string());
      PQfreemem(bytes);
    }
    return values;
  }

  Connection connection_;
  const StoreUrl& url_;
  const SessionTable& table_;
};

Result<Connection> connect(const DatabaseServer& server, Instant deadline) {
  const StoreUrl& url = server.url;
  std::vector<std::pair<const char*, std::string>> settings = {{"dbname", url.database},
                                                               {"application_name", "sallyport"},
                                                               {"client_encoding", "UTF8"},
                                                               {"gssencmode", "disable"},
                                                               {"tcp_user_timeout", "10000"},
                                                               // No password but the one that is configured.
                                                               {"passfile", "/nonexistent"}};
  if (!url.user.empty()) settings.emplace_back("user", url.user);
  if (url.kind == StoreUrl::Kind::unix_socket) {
    // libpq is told of a folder and a port: /run/postgresql/.s.PGSQL.5432.
    const auto slash = url.socket_path.rfind('/');
    const std::string name = url.socket_path.substr(slash + 1);
    constexpr std::string_view start = ".s.PGSQL.";
    if (!name.starts_with(start)) return trouble(url, "a socket of PostgreSQL is called .s.PGSQL. and a number");
    settings.emplace_back("host", url.socket_path.substr(0, slash));
    settings.emplace_back("port", name.substr(start.size()));
    settings.emplace_back("sslmode", "disable");
  } else {
    settings.emplace_back("host", url.host);
    settings.emplace_back("port", std::to_string(url.port));
    const bool proves = server.proof == ServerProof::certificate;
    settings.emplace_back("sslmode", proves ? "verify-full" : "disable");
    if (proves) {
      settings.emplace_back("sslrootcert", server.ca_file.empty() ? system_authorities : server.ca_file);
      settings.emplace_back("ssl_min_protocol_version", "TLSv1.2");
    }
  }
  std::vector<const char*> names;
  std::vector<const char*> values;
  for (const auto& [name, value] : settings) {
    names.push_back(name);
    values.push_back(value.c_str());
  }
  if (server.password) {
    names.push_back("password");
    values.push_back(server.password->reveal().data());  // the text of a std::string, which ends in a NUL
  }
  names.push_back(nullptr);
  values.push_back(nullptr);

  Connection connection(PQconnectStartParams(names.data(), values.data(), 0));
  if (!connection) return trouble(url, "out of memory");
  if (PQstatus(connection.get()) == CONNECTION_BAD) return trouble(url, PQerrorMessage(connection.get()));
  PQsetNoticeProcessor(connection.get(), [](void*, const char*) {}, nullptr);
  for (PostgresPollingStatusType next = PGRES_POLLING_WRITING;; next = PQconnectPoll(connection.get())) {
    if (next == PGRES_POLLING_OK) break;
    if (next == PGRES_POLLING_FAILED) return trouble(url, PQerrorMessage(connection.get()));
    const short events = next == PGRES_POLLING_READING ? POLLIN : POLLOUT;
    if (!wait_on(connection.get(), events, deadline)) return trouble(url, "no connection in time");
  }
  if (PQsetnonblocking(connection.get(), 1) != 0) return trouble(url, PQerrorMessage(connection.get()));
  return connection;
}

}  // namespace

OpenSessionQuery open_postgres(DatabaseServer server, SessionTable table) {
  auto kept = std::make_shared<const std::pair<DatabaseServer, SessionTable>>(std::move(server), std::move(table));
  return [kept](Instant deadline) -> Result<std::unique_ptr<SessionQuery>> {
    TRY(Connection connection, connect(kept->first, deadline));
    return std::unique_ptr<SessionQuery>(
        std::make_unique<PostgresQuery>(std::move(connection), kept->first.url, kept->second));
  };
}

}  // namespace sallyport::auth
