#include "sallyport/gateway/connection.h"

#include "sallyport/gateway/http1.h"
#include "sallyport/gateway/tunnel.h"

namespace sallyport::gateway {

void accept_connection(Shard& shard, std::size_t listener, net::Fd fd, net::Endpoint from) {
  const GatewayLimits& limits = shard.snapshot->settings.limits;
  const auto drop = [&](Reason reason) { shard.metrics.refused[static_cast<std::size_t>(reason)].add(); };
  const auto answer = shard.shared.limits.handshakes.ask(from.network(), limits.handshakes_per_ip, shard.loop().now());
  if (answer == HandshakeRates::Answer::drop) return drop(Reason::limit_handshake_rate);
  PendingLimit::Place pending = shard.shared.limits.pending.enter(limits.pending);
  auto of_network =
      shard.shared.limits.pending_by_network.enter(from.network(), limits.pending_per_ip, Reason::limit_pending);
  if (!pending || !of_network.ok()) return drop(Reason::limit_pending);
  const auto rate = answer == HandshakeRates::Answer::allowed ? Arrival::Rate::within : Arrival::Rate::over;
  Arrival arrival{
      shard, shard.snapshot,    {std::move(from), {}}, PendingPlaces{std::move(pending), std::move(of_network).value()},
      rate,  shard.loop().now()};
  auto tls = shard.snapshot->listener_tls[listener];
  shard.loop().spawn(
      Connection::serve(std::make_unique<Connection>(std::move(arrival), std::move(tls), std::move(fd))));
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
  Http1Exchange exchange(self.arrival_, self.stream(), self.waiter_,
                         self.tls_ ? http::Scheme::https : http::Scheme::http);
  Tunnel tunnel(self.arrival_, exchange);
  co_await tunnel.serve();
}

net::Task<Result<void>> Connection::secure() {
  if (!tls_) co_return Result<void>();
  const net::Deadline by = arrival_.deadline(arrival_.snapshot->settings.limits.tls_timeout, Reason::tls_failed);
  CO_TRY_OK(co_await net::handshake(waiter_, *tls_, by));
  arrival_.peer.tls_version = tls_->version();
  arrival_.shard.metrics.tls_handshakes.add();
  if (tls_->resumed()) arrival_.shard.metrics.tls_resumed.add();
  co_return Result<void>();
}

}  // namespace sallyport::gateway
