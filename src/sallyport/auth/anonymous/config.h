#pragma once

#include <chrono>
#include <string>

#include "sallyport/config/schema.h"

namespace sallyport::auth {

struct AnonymousConfig {
  std::string subject = "anonymous";
  std::chrono::seconds lifetime{std::chrono::hours(1)};
};

config::Schema<AnonymousConfig> anonymous_schema();

}  // namespace sallyport::auth
