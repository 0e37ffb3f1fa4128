#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "sallyport/auth/session/sources/query_threads.h"
#include "sallyport/auth/session/sources/sql.h"
#include "sallyport/auth/session/store_url.h"
#include "sallyport/base/secret.h"

/// Sessions in databases with tables. Each connection only ever runs the statement of select_sessions().
namespace sallyport::auth {

struct SessionTable {
  SqlLayout layout;
  std::chrono::seconds lifetime{0};  ///< added to what the table says
};

/// Whether the server must prove who it is, to whom nothing is sent before.
enum class ServerProof : std::uint8_t { certificate, none };

struct DatabaseServer {
  StoreUrl url;
  std::shared_ptr<const Secret> password;  ///< nullptr: none
  ServerProof proof = ServerProof::certificate;
  std::string ca_file;  ///< the authorities for it; empty: the system's
};

/// By libpq. Follows the deadline to the millisecond.
OpenSessionQuery open_postgres(DatabaseServer server, SessionTable table);
/// By MariaDB's connector, whose own time-outs are whole seconds: a thread may hang on for one more than its deadline.
OpenSessionQuery open_mysql(DatabaseServer server, SessionTable table);
/// By SQLite, for reading only. `path` is looked at for each question, so that a file put in its place is seen.
OpenSessionQuery open_sqlite(std::string path, SessionTable table);

}  // namespace sallyport::auth
