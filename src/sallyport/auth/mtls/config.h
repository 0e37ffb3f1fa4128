#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "sallyport/config/schema.h"

namespace sallyport::auth {

struct MtlsConfig {
  std::vector<std::string> subject = {"uri", "dns", "email", "cn"};
  std::vector<std::string> pins;
  std::chrono::seconds max_lifetime = std::chrono::hours(24 * 825);
};

config::Schema<MtlsConfig> mtls_schema();

}  // namespace sallyport::auth
