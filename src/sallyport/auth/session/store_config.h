#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "sallyport/auth/session/layout.h"
#include "sallyport/config/schema.h"

/// Where sessions lie, as it is configured. What is left out follows from the framework (SessionLayout).
namespace sallyport::auth {

struct RedisSessions {
  std::string url;
  std::string user;
  config::SecretSource password;
  config::FilePath ca_file;
  std::optional<std::string> prefix;
  bool dangerous_plaintext = false;
};

struct SessionColumns {
  std::string key;
  std::optional<std::string> data;
  std::vector<std::string> fields;
  std::optional<std::string> expires;
  std::optional<ExpiresAs> expires_as;
};

struct PostgresSessions {
  std::string url;
  std::string user;
  config::SecretSource password;
  config::FilePath ca_file;
  std::string table;
  SessionColumns columns;
  std::optional<std::chrono::seconds> lifetime;
  std::uint32_t connections = 2;
  bool dangerous_plaintext = false;
};

struct MysqlSessions {
  std::string url;
  std::string user;
  config::SecretSource password;
  config::FilePath ca_file;
  std::string table;
  SessionColumns columns;
  std::optional<std::chrono::seconds> lifetime;
  std::uint32_t connections = 2;
  bool dangerous_plaintext = false;
};

struct SqliteSessions {
  config::FilePath path;
  std::string table;
  SessionColumns columns;
  std::optional<std::chrono::seconds> lifetime;
};

struct FileSessions {
  config::FilePath path;
  std::string pattern;
  std::uint32_t depth = 0;
  std::optional<std::chrono::seconds> lifetime;
};

struct MemcachedSessions {
  std::string url;
  std::optional<std::string> prefix;
  bool dangerous_plaintext = false;
};

using SessionStoreConfig =
    std::variant<RedisSessions, PostgresSessions, MysqlSessions, SqliteSessions, FileSessions, MemcachedSessions>;

/// The alternatives of a field of type SessionStoreConfig: `config::one_of(session_stores())`.
std::vector<config::Alternative> session_stores();

}  // namespace sallyport::auth
