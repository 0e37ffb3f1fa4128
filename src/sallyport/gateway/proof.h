#pragma once

#include "sallyport/gateway/exchange.h"
#include "sallyport/gateway/route.h"

namespace sallyport::gateway {

/// Who stands behind `evidence`, as the route's chain proves it; the one way to it for sockets and endpoints alike. Before a credential is
/// looked at the address must be one of the route's and nobody may be locked out; afterwards failures and successes are counted.
/// Errors:   `address.not_allowed`; `limit.lockout`, with arrival.retry_after set; those of Chain::authenticate().
/// Suspends: until limits.auth_timeout at most.
/// Lifetime: everything outlives the task.
net::Task<Result<auth::Identity>> prove(const Arrival& arrival, const Route& route, const auth::Evidence& evidence);

/// All that the request presents where the route's mechanisms look, and what its connection has proved; empty: nothing. A secret.
std::string presented(const auth::Evidence& evidence, const http::Strip& places);

}  // namespace sallyport::gateway
