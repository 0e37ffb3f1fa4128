#pragma once

#include <string>
#include <vector>

#include "sallyport/config/schema.h"

namespace sallyport::auth {

struct JwtConfig {
  std::string issuer;
  std::vector<std::string> from = {"header", "subprotocol"};
};

config::Schema<JwtConfig> jwt_schema();

}  // namespace sallyport::auth
