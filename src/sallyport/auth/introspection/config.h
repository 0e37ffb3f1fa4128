#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "sallyport/auth/breaker.h"
#include "sallyport/auth/jwt/issuer.h"
#include "sallyport/config/schema.h"

namespace sallyport::auth {

/// How the gateway proves to the authorization server who asks.
enum class ClientMethod : std::uint8_t { client_secret_basic, client_secret_post, private_key_jwt, bearer };
std::vector<config::EnumName<ClientMethod>> enum_names(ClientMethod);

struct ClientConfig {
  std::string id;
  ClientMethod method = ClientMethod::client_secret_basic;
  config::SecretSource secret;
  config::FilePath key_file;
  std::string assertion_audience;
};

struct IntrospectionConfig {
  std::string url;
  config::FilePath ca_file;
  ClientConfig client;
  std::vector<std::string> from = {"header", "subprotocol"};
  std::string issuer;
  std::vector<std::string> audience;
  std::vector<std::string> clients;
  bool dangerous_any_audience = false;
  std::vector<std::string> token_types{"", "Bearer"};
  ClaimNames claims;
  std::chrono::seconds lifetime{900};
  std::chrono::seconds leeway{30};
  std::chrono::milliseconds cache{30'000};
  std::chrono::milliseconds negative_cache{5'000};
  std::uint32_t cached_tokens = 10'000;
  std::chrono::milliseconds timeout{2000};
  std::uint32_t requests = 64;
  BreakerConfig breaker;
  bool dangerous_plaintext_introspection = false;
};

config::Schema<IntrospectionConfig> introspection_schema();

}  // namespace sallyport::auth
