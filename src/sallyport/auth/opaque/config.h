#pragma once

#include <string>
#include <vector>

#include "sallyport/config/schema.h"

namespace sallyport::auth {

struct OpaqueConfig {
  std::vector<std::string> from = {"header", "subprotocol"};
};

config::Schema<OpaqueConfig> opaque_schema();

}  // namespace sallyport::auth
