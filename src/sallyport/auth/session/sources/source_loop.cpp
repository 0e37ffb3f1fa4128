#include "sallyport/auth/session/sources/source_loop.h"

namespace sallyport::auth {
namespace {

net::Task<Result<std::vector<net::Endpoint>>> endpoints_of(net::Loop& loop, net::Worker& resolver,
                                                           const StoreUrl& url) {
  const auto fixed = url.kind == StoreUrl::Kind::unix_socket ? net::Endpoint::unix_socket(url.socket_path)
                                                             : net::Endpoint::parse_ip(url.host, url.port);
  if (fixed.ok()) co_return std::vector<net::Endpoint>{*fixed};
  auto looking_up =
      net::offload(resolver, loop, [host = url.host, port = url.port] { return net::resolve(host, port); });
  co_return co_await looking_up;
}

}  // namespace

net::Task<Result<std::unique_ptr<net::Stream>>> dial_store(net::Waiter& waiter, net::Worker& resolver,
                                                           const StoreUrl& url,
                                                           const std::shared_ptr<const net::ClientTls>& tls,
                                                           net::Deadline deadline) {
  net::Loop& loop = waiter.wake().loop();
  auto resolving = endpoints_of(loop, resolver, url);
  const auto endpoints = co_await resolving;
  if (!endpoints.ok()) co_return Error{Reason::store_unavailable, endpoints.error().detail};
  Error last{Reason::store_unavailable, "'" + url.host + "' has no address"};
  for (const net::Endpoint& endpoint : *endpoints) {
    auto connecting = net::connect(waiter, endpoint, deadline);
    Result<net::Fd> connected = co_await connecting;
    if (!connected.ok()) {
      last = Error{Reason::store_unavailable, connected.error().detail};
      continue;
    }
    if (!tls) co_return std::unique_ptr<net::Stream>(std::make_unique<net::PlainStream>(loop, *std::move(connected)));
    auto stream = std::make_unique<net::TlsStream>(loop, *std::move(connected), tls, url.host);
    stream->attach(waiter.wake(), net::Waiter::readable, net::Waiter::writable);
    auto shaking = net::handshake(waiter, *stream, deadline);
    const Result<void> agreed = co_await shaking;
    if (agreed.ok()) co_return std::unique_ptr<net::Stream>(std::move(stream));
    last = Error{Reason::store_unavailable, endpoint.text() + ": " + agreed.error().detail};
  }
  co_return last;
}

}  // namespace sallyport::auth
