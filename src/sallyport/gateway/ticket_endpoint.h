#pragma once

#include "sallyport/gateway/endpoints.h"

namespace sallyport::gateway {

/// `POST ticket`: a single-use ticket for the route that the body names, for whoever proves by any credential that the route accepts who
/// they are. A caller without an Origin, such as the application itself, may name in `origin` the one whose page will use it.
/// Errors: those of find_route() and prove(); `request.not_found` when the route has no tickets; `origin.not_allowed`;
///         `store.unavailable`.
net::Task<Result<http::Response>> give_ticket(Call& call);

}  // namespace sallyport::gateway
