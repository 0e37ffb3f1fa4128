#pragma once

#include "sallyport/gateway/exchange.h"
#include "sallyport/http/request.h"

namespace sallyport::gateway {

/// Puts the client that a trusted proxy speaks for in the proxy's place: its address, by which it is counted and limited from now on, and its
/// certificate. Of anybody else nothing is believed and nothing changes.
/// Trust:  `request` is hostile, but for what trusted proxies have added to it, from the right.
/// Errors: `http.malformed` when a trusted proxy names something that is no address; `credential.invalid`, `credential.expired`,
///         `credential.revoked`, `keys.unavailable` for a certificate that does not hold; `limit.handshake_rate`, `limit.pending`.
Result<void> take_forwarded(Arrival& arrival, const http::Request& request);

}  // namespace sallyport::gateway
