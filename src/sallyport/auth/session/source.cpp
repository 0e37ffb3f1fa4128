#include "sallyport/auth/session/source.h"

#include <algorithm>

#include "sallyport/auth/session/sources/databases.h"
#include "sallyport/auth/session/sources/files.h"
#include "sallyport/auth/session/sources/memcached.h"
#include "sallyport/auth/session/sources/redis.h"
#include "sallyport/config/file.h"

namespace sallyport::auth {
namespace {

using Made = Result<std::shared_ptr<SessionSource>>;

Error unsaid(std::string_view store, std::string_view key) {
  return {Reason::config_invalid,
          "store." + std::string(store) + "." + std::string(key) +
              ": the framework keeps no sessions in such a store by itself, so this must be given"};
}

Result<std::shared_ptr<const Secret>> load_password(const config::SecretSource& source,
                                                    const config::Environment& environment) {
  if (source.empty()) return std::shared_ptr<const Secret>();
  TRY(Secret secret, config::load_secret(source, environment));
  if (secret.reveal().find('\0') != std::string_view::npos)
    return Error{Reason::config_invalid, "store: a password with a NUL byte"};
  return std::shared_ptr<const Secret>(std::make_shared<Secret>(std::move(secret)));
}

Result<SessionTable> table_of(std::string_view store, const std::string& table, const SessionColumns& columns,
                              const std::optional<std::chrono::seconds>& lifetime, const SqlLayout& usual,
                              std::chrono::seconds usual_lifetime) {
  SessionTable out{usual, lifetime.value_or(usual_lifetime)};
  if (!table.empty()) out.layout.table = table;
  if (!columns.key.empty()) out.layout.key = columns.key;
  if (columns.data) out.layout.data = *columns.data;
  if (!columns.fields.empty()) out.layout.fields = columns.fields;
  if (columns.expires) out.layout.expires = *columns.expires;
  if (columns.expires_as) out.layout.expires_as = *columns.expires_as;
  if (out.layout.table.empty()) return unsaid(store, "table");
  if (out.layout.key.empty()) return unsaid(store, "columns.key");
  if (out.layout.data.empty() && out.layout.fields.empty()) return unsaid(store, "columns.data");
  return out;
}

template <class C>
Result<DatabaseServer> server_of(const C& config, const StoreSchemes& schemes, const config::Environment& environment) {
  DatabaseServer server;
  TRY(server.url, parse_store_url(config.url, schemes));
  if (server.url.user.empty()) server.url.user = config.user;
  TRY(server.password, load_password(config.password, environment));
  // On this machine nobody is on the way; a file of authorities says that TLS is wanted all the same.
  const bool proves = !config.ca_file.empty() || !(server.url.stays_here() || config.dangerous_plaintext);
  server.proof = proves ? ServerProof::certificate : ServerProof::none;
  server.ca_file = config.ca_file.path;
  return server;
}

struct Maker {
  const SessionLayout& layout;
  const config::Environment& environment;

  Made operator()(const RedisSessions& config) const {
    RedisServer server;
    TRY(server.url, parse_store_url(config.url, redis_schemes));
    if (server.url.user.empty()) server.url.user = config.user;
    TRY(server.password, load_password(config.password, environment));
    if (server.url.kind == StoreUrl::Kind::tls) {
      TRY(server.tls, net::ClientTls::load(config.ca_file.path));
    }
    if (!config.prefix && layout.redis_prefix.empty()) return unsaid("redis", "prefix");
    return make_redis_source(std::move(server), config.prefix.value_or(layout.redis_prefix), layout.redis_kind);
  }

  Made operator()(const PostgresSessions& config) const {
    TRY(DatabaseServer server, server_of(config, postgres_schemes, environment));
    TRY(SessionTable table,
        table_of("postgres", config.table, config.columns, config.lifetime, layout.postgres, layout.sql_lifetime));
    return threads(config.connections, open_postgres(std::move(server), std::move(table)));
  }

  Made operator()(const MysqlSessions& config) const {
    TRY(DatabaseServer server, server_of(config, mysql_schemes, environment));
    TRY(SessionTable table,
        table_of("mysql", config.table, config.columns, config.lifetime, layout.mysql, layout.sql_lifetime));
    return threads(config.connections, open_mysql(std::move(server), std::move(table)));
  }

  Made operator()(const SqliteSessions& config) const {
    TRY(SessionTable table,
        table_of("sqlite", config.table, config.columns, config.lifetime, layout.sqlite, layout.sql_lifetime));
    return threads(2, open_sqlite(config.path.path, std::move(table)));
  }

  Made operator()(const FileSessions& config) const {
    FileLayout files{config.path.path, config.pattern.empty() ? layout.file_pattern : config.pattern, config.depth,
                     config.lifetime.value_or(layout.file_lifetime)};
    if (files.pattern.empty()) return unsaid("files", "pattern");
    return threads(2, open_files(std::move(files)));
  }

  Made operator()(const MemcachedSessions& config) const {
    TRY(StoreUrl url, parse_store_url(config.url, memcached_schemes));
    if (!config.prefix && layout.memcached_prefix.empty()) return unsaid("memcached", "prefix");
    return make_memcached_source(std::move(url), config.prefix.value_or(layout.memcached_prefix));
  }

  static Made threads(std::size_t count, OpenSessionQuery open) {
    return std::shared_ptr<SessionSource>(std::make_shared<QueryThreads>(count, std::move(open)));
  }
};

}  // namespace

net::Task<Result<std::optional<StoredSession>>> SessionSource::find(std::string key, net::Loop& here,
                                                                    net::Deadline deadline) {
  std::vector<std::string> keys;
  keys.push_back(std::move(key));
  auto finding = find_many(std::move(keys), here, deadline);
  CO_TRY(auto found, co_await finding);
  co_return std::move(found.front());
}

std::unique_ptr<SourceWatch> SessionSource::watch(net::Loop&, Changed) { return nullptr; }

Result<void> check_session_key(std::string_view key) {
  const bool plain = std::ranges::all_of(key, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("-_.,:=+@~").find(c) != std::string_view::npos;
  });
  if (!key.empty() && key.size() <= 256 && plain) return {};
  return Error{Reason::credential_invalid, "an id that no session has"};
}

Result<std::shared_ptr<SessionSource>> make_session_source(const SessionStoreConfig& config,
                                                           const SessionLayout& layout,
                                                           const config::Environment& environment) {
  return std::visit(Maker{layout, environment}, config);
}

}  // namespace sallyport::auth
