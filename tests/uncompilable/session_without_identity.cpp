// A Session is entered with an Identity; there is no other way to have one.
// wrong: private
#include "sallyport/gateway/sessions.h"

using namespace sallyport;

Result<std::unique_ptr<gateway::Session>> enter(gateway::Sessions& sessions, auth::Identity identity,
                                                std::shared_ptr<const gateway::Route> route, net::Waiter& waiter,
                                                gateway::ConnectionCounts::Place place) {
#ifdef WRONG
  return std::make_unique<gateway::Session>(
      gateway::Session(sessions, "id", std::move(identity), std::move(route), "192.0.2.1", WallTime{}, waiter));
#else
  return sessions.admit("id", std::move(identity), std::move(route), "192.0.2.1", WallTime{}, waiter, std::move(place));
#endif
}
