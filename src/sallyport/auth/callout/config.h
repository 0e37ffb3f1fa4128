#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "sallyport/auth/breaker.h"
#include "sallyport/config/schema.h"

namespace sallyport::auth {

/// In which words the service is asked and answers.
enum class Dialect : std::uint8_t { sallyport, hasura, centrifugo };
std::vector<config::EnumName<Dialect>> enum_names(Dialect);

/// Whether a request without any of the credentials is the service's to judge.
enum class Ask : std::uint8_t { presented, always };
std::vector<config::EnumName<Ask>> enum_names(Ask);

struct CalloutConfig {
  std::string url;
  config::FilePath ca_file;
  std::vector<std::string> credentials = {"header:Authorization"};
  std::vector<std::string> shows;
  Ask ask = Ask::presented;
  Dialect dialect = Dialect::sallyport;
  config::SecretSource signing_key;
  std::chrono::seconds lifetime{900};
  std::chrono::milliseconds timeout{2000};
  std::uint32_t requests = 64;
  BreakerConfig breaker;
  bool dangerous_plaintext_callout = false;
};

config::Schema<CalloutConfig> callout_schema();

}  // namespace sallyport::auth
