#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "sallyport/auth/session/php.h"
#include "sallyport/auth/session/store_config.h"
#include "sallyport/config/schema.h"

namespace sallyport::auth {

enum class Framework : std::uint8_t { express, php, django, flask, rails, laravel, spring, authjs };
std::vector<config::EnumName<Framework>> enum_names(Framework);

namespace session {
std::vector<config::EnumName<PhpSerializer>> enum_names(PhpSerializer);
}

/// Where a session itself lies.
enum class Place : std::uint8_t { cookie, store };

struct SessionSecret {
  config::SecretSource secret;
};

struct SessionConfig {
  Framework framework = Framework::express;
  std::string cookie;  ///< empty: default_cookie(framework)
  config::SecretSource secret;
  std::vector<SessionSecret> older_secrets;
  std::optional<session::PhpSerializer> serializer;
  std::string identity;  ///< empty: default_identity()
  std::string tenant;
  std::string scopes;
  std::string roles;
  std::string amr;
  std::string acr;
  std::string authenticated_at;
  std::optional<std::chrono::seconds> max_age;  ///< absent: default_max_age(framework)
  std::optional<SessionStoreConfig> store;      ///< absent: the session lies in its cookie
  std::optional<SessionStoreConfig> users;      ///< a database; absent: users are not asked about
};

/// The framework's own name for its cookie; empty where an application chooses it.
std::string default_cookie(Framework framework);
/// Where the framework, or what is most often used with it to log users in, keeps who somebody is: places in a session, the first
/// that is there.
std::vector<std::string> default_identity(Framework framework, Place place);
std::chrono::seconds default_max_age(Framework framework);

config::Schema<SessionConfig> session_schema();

}  // namespace sallyport::auth
