#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "sallyport/config/schema.h"
#include "sallyport/config/value.h"

namespace sallyport::auth {

/// An application that may ask for tokens.
struct TokenClientConfig {
  std::string id;
  config::SecretSource secret;
  std::vector<std::string> scopes;
  bool names_users = false;
};

struct TokenServiceConfig {
  std::string issuer;
  std::vector<std::string> audience;
  config::FilePath keys_file;
  std::chrono::seconds lifetime{600};
  std::chrono::seconds refresh_idle = std::chrono::hours(24 * 7);
  std::chrono::seconds refresh_lifetime = std::chrono::hours(24 * 30);
  std::vector<TokenClientConfig> clients;
  std::vector<std::string> routes;
};

/// The name by which `authenticate: [{jwt: {issuer: …}}]` means the tokens of this service.
inline constexpr std::string_view token_service_name = "token_service";

config::Schema<TokenServiceConfig> token_service_schema();

}  // namespace sallyport::auth
