#include "sallyport/auth/ticket/config.h"

#include "sallyport/auth/sources_field.h"

namespace sallyport::auth {

using namespace std::chrono_literals;

config::Schema<TicketConfig> ticket_schema() {
  return with_sources(config::schema<TicketConfig>(
      "auth.ticket",
      "Accepts single-use tickets that `POST /.sallyport/ticket` gives for any credential that the route accepts.",
      sources_field(&TicketConfig::from),
      config::field(&TicketConfig::lifetime, "lifetime", "From the ticket to the handshake.",
                    config::between(1s, 300s)),
      config::field(&TicketConfig::bind_address, "bind_address",
                    "A ticket is good for the IPv4 address or IPv6 /64 only that it was given to."),
      config::field(&TicketConfig::unwatched, "unwatched",
                    "How long a connection lives whose identity can be asked about again only by another instance: the "
                    "one that gave the ticket.",
                    config::between(1s, 24h))));
}

}  // namespace sallyport::auth
