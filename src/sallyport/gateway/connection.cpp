#include "sallyport/gateway/connection.h"

#include "sallyport/gateway/authorize.h"
#include "sallyport/gateway/http1.h"
#include "sallyport/gateway/http2.h"
#include "sallyport/gateway/tunnel.h"
#include "sallyport/net/proxy_protocol.h"

namespace sallyport::gateway {

void accept_connection(Shard& shard, std::size_t listener, net::Fd fd, net::Endpoint from) {
  const std::shared_ptr<const Snapshot> snapshot = shard.snapshot;
  const bool proxied = listener < snapshot->proxy_protocol.size() && snapshot->proxy_protocol[listener];
  if (proxied && !snapshot->proxy_protocol[listener]->contains(from)) {
    const Error error{Reason::address_not_allowed, "only the proxies of this listener may connect to it"};
    return report_refusal(shard, from, error);
  }
  auto authorization = snapshot->authorizations[listener];
  Result<Arrival> arrival = authorization ? arrive_to_ask(shard, std::move(from), *authorization)
                            : proxied     ? arrive_behind(shard, std::move(from))
                                          : arrive(shard, std::move(from));
  if (!arrival.ok()) return;
  auto tls = snapshot->listener_tls[listener];
  auto connection = std::make_unique<Connection>(std::move(arrival).value(), std::move(tls), std::move(fd));
  shard.loop().spawn(authorization ? Connection::serve_asker(std::move(connection), std::move(authorization))
                     : proxied     ? Connection::serve_proxied(std::move(connection))
                                   : Connection::serve(std::move(connection)));
}

Connection::Connection(Arrival arrival, std::shared_ptr<const net::ServerTls> tls, net::Fd fd)
    : arrival_(std::move(arrival)), waiter_(arrival_.shard.loop()) {
  if (tls) {
    tls_.emplace(arrival_.shard.loop(), std::move(fd), std::move(tls));
  } else {
    plain_.emplace(arrival_.shard.loop(), std::move(fd));
  }
  stream().attach(waiter_.wake(), net::Waiter::readable, net::Waiter::writable);
}

net::Task<void> Connection::serve(std::unique_ptr<Connection> connection) {
  Connection& self = *connection;
  {
    const Result<void> secured = co_await self.secure();
    // Who never finished the TLS handshake cannot be told anything.
    if (!secured.ok()) co_return report_refusal(self.arrival_, secured.error(), nullptr, std::nullopt);
  }
  if (self.tls_ && self.tls_->protocol() == "h2") co_return co_await serve_http2(self);
  Http1Exchange exchange(self.arrival_, self.stream(), self.waiter_,
                         self.tls_ ? http::Scheme::https : http::Scheme::http);
  Tunnel tunnel(self.arrival_, exchange);
  co_await tunnel.serve();
}

net::Task<void> Connection::serve_asker(std::unique_ptr<Connection> connection,
                                        std::shared_ptr<const Authorization> authorization) {
  Connection& self = *connection;
  {
    const Result<void> secured = co_await self.secure();
    if (!secured.ok()) co_return report_refusal(self.arrival_, secured.error(), nullptr, std::nullopt);
  }
  Http1Exchange exchange(self.arrival_, self.stream(), self.waiter_,
                         self.tls_ ? http::Scheme::https : http::Scheme::http);
  co_await answer_asker(self.arrival_, exchange, *authorization);
}

net::Task<void> Connection::serve_proxied(std::unique_ptr<Connection> connection) {
  {
    const Result<void> known = co_await connection->learn_who();
    if (!known.ok()) co_return report_refusal(connection->arrival_, known.error(), nullptr, std::nullopt);
  }
  auto serving = serve(std::move(connection));
  co_await serving;
}

net::Task<Result<void>> Connection::learn_who() {
  const net::Deadline by =
      arrival_.deadline(arrival_.snapshot->settings.limits.header_timeout, Reason::proxy_malformed);
  CO_TRY(net::ProxyHeader header, co_await net::read_proxy_header(waiter_, socket(), by));
  net::Endpoint client = header.source ? std::move(*header.source) : arrival_.peer.address;
  co_return enter_as(arrival_, std::move(client));
}

// In a frame of its own: a connection with one WebSocket has no use for what belongs to many.
net::Task<void> Connection::serve_http2(Connection& self) {
  Http2Connection connection(self.arrival_, *self.tls_);
  co_await connection.serve();
}

net::Task<Result<void>> Connection::secure() {
  if (!tls_) co_return Result<void>();
  const net::Deadline by = arrival_.deadline(arrival_.snapshot->settings.limits.tls_timeout, Reason::tls_failed);
  CO_TRY_OK(co_await net::handshake(waiter_, *tls_, by));
  arrival_.peer.tls_version = tls_->version();
  arrival_.peer.certificate = tls_->client_certificate();
  arrival_.shard.metrics.tls_handshakes.add();
  if (tls_->resumed()) arrival_.shard.metrics.tls_resumed.add();
  co_return Result<void>();
}

}  // namespace sallyport::gateway
