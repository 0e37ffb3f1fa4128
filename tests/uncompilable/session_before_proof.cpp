// What authentication answered is no Identity until it was looked at.
// wrong: no matching|no known conversion|cannot convert|could not convert|no viable conversion
#include "sallyport/gateway/sessions.h"

using namespace sallyport;

Result<std::unique_ptr<gateway::Session>> enter(gateway::Sessions& sessions, Result<auth::Identity> answer,
                                                std::shared_ptr<const gateway::Route> route, net::Waiter& waiter,
                                                gateway::ConnectionCounts::Place place) {
#ifdef WRONG
  return sessions.admit("id", std::move(answer), std::move(route), "192.0.2.1", WallTime{}, waiter, std::move(place));
#else
  TRY(auth::Identity identity, std::move(answer));
  return sessions.admit("id", std::move(identity), std::move(route), "192.0.2.1", WallTime{}, waiter, std::move(place));
#endif
}
