#pragma once

#include <optional>

#include "sallyport/net/socket.h"

/// The PROXY protocol, versions 1 and 2: what a load balancer says of the connection that it passes on, before the first byte of the
/// client.
namespace sallyport::net {

/// Units: bytes of a whole header; longer ones are refused. Version 1 knows no more than 107.
inline constexpr std::size_t max_proxy_header = 4096;

struct ProxyHeader {
  /// The client; nothing when the proxy speaks for itself (LOCAL, a health check) or does not say (UNKNOWN, UNSPEC, a unix socket).
  std::optional<Endpoint> source;
  /// Bytes that the header took; what follows is the client's.
  std::size_t size = 0;
};

/// Reads a header, or nothing when `received` does not hold all of it yet; then every byte of `received` is part of it.
/// Trust:  `received` is hostile until its sender is known to be the proxy.
/// Errors: `proxy.malformed`.
/// Spec:   haproxy.org proxy-protocol.txt. Stricter: single spaces, ports in their shortest form, streams only; addresses of the
///         announced family only. Type-length-values of version 2 are skipped, its checksum among them.
Result<std::optional<ProxyHeader>> parse_proxy_header(Bytes received);

/// Takes the header off the stream and not one byte more, so that TLS may follow.
/// Errors: `proxy.malformed`, `deadline.late`, `peer.gone`, the waiter's interruption.
Task<Result<ProxyHeader>> read_proxy_header(Waiter& waiter, SocketStream& stream, Deadline deadline);

}  // namespace sallyport::net
