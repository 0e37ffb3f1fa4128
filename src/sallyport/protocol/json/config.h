#pragma once

#include <string>
#include <vector>

#include "sallyport/config/schema.h"

namespace sallyport::protocol {

struct JsonConfig {
  std::string verb;
  std::string resource;
  std::vector<std::string> resource_optional;
};

config::Schema<JsonConfig> json_schema();

}  // namespace sallyport::protocol
