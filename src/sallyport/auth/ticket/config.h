#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "sallyport/config/schema.h"

namespace sallyport::auth {

struct TicketConfig {
  std::vector<std::string> from = {"query:ticket", "subprotocol"};
  std::chrono::seconds lifetime{30};
  bool bind_address = false;
  std::chrono::seconds unwatched{300};
};

config::Schema<TicketConfig> ticket_schema();

}  // namespace sallyport::auth
