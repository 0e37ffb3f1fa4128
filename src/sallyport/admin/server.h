#pragma once

#include "sallyport/base/result.h"
#include "sallyport/gateway/gateway.h"
#include "sallyport/net/socket.h"

namespace sallyport::admin {

/// Opens the operators' port that `gateway` is configured with and serves it on the gateway's control loop: HTTP/1.1, one request
/// per connection, 64 connections at a time, ten seconds for a request. Certificate and token are those of the gateway's present
/// configuration. Returns where it listens.
/// Errors:   `config.invalid` when the address cannot be bound. A gateway configured without the port is a bug.
/// Lifetime: serves until the gateway's control loop is destroyed.
Result<net::Endpoint> start_server(gateway::Gateway& gateway);

}  // namespace sallyport::admin
