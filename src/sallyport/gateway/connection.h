#pragma once

#include "sallyport/gateway/exchange.h"
#include "sallyport/net/tls.h"

namespace sallyport::gateway {

/// Starts to serve a socket that was just accepted, or drops it when its peer asks for too much.
/// Threads: the shard's own.
void accept_connection(Shard& shard, std::size_t listener, net::Fd fd, net::Endpoint from);

/// A socket from its first byte to its last: TLS, then what was agreed to be spoken.
class Connection {
 public:
  Connection(Arrival arrival, std::shared_ptr<const net::ServerTls> tls, net::Fd fd);

  /// Until the connection is over.
  static net::Task<void> serve(std::unique_ptr<Connection> connection);
  /// The same for a proxy's that asks.
  static net::Task<void> serve_asker(std::unique_ptr<Connection> connection,
                                     std::shared_ptr<const Authorization> authorization);
  /// Likewise, of a connection that a load balancer passes on with a PROXY header.
  static net::Task<void> serve_proxied(std::unique_ptr<Connection> connection);

 private:
  net::Task<Result<void>> learn_who();
  static net::Task<void> serve_http2(Connection& self);
  net::Task<Result<void>> secure();
  net::SocketStream& socket() { return tls_ ? static_cast<net::SocketStream&>(*tls_) : *plain_; }
  net::Stream& stream() { return tls_ ? static_cast<net::Stream&>(*tls_) : *plain_; }

  Arrival arrival_;
  net::Waiter waiter_;
  std::optional<net::TlsStream> tls_;
  std::optional<net::PlainStream> plain_;
};

}  // namespace sallyport::gateway
