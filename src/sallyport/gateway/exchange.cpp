#include "sallyport/gateway/exchange.h"

#include <algorithm>

#include "sallyport/gateway/route.h"

namespace sallyport::gateway {
namespace {

constexpr auto answer_timeout = std::chrono::seconds(2);

}  // namespace

net::Deadline Arrival::deadline(std::chrono::milliseconds after, Reason late) const {
  if (rate == Rate::over) after = std::min<std::chrono::milliseconds>(after, answer_timeout);
  return {shard.loop().clock().now() + after, late};
}

net::Deadline Arrival::answer_deadline() const { return deadline(answer_timeout, Reason::peer_too_slow); }

Result<PendingPlaces> enter_pending(Shard& shard, const net::Endpoint& from) {
  const GatewayLimits& limits = shard.snapshot->settings.limits;
  PendingLimit::Place pending = shard.shared.limits.pending.enter(limits.pending);
  auto of_network =
      shard.shared.limits.pending_by_network.enter(from.network(), limits.pending_per_ip, Reason::limit_pending);
  if (!pending || !of_network.ok()) return Error{Reason::limit_pending, "from " + from.network()};
  return PendingPlaces{std::move(pending), std::move(of_network).value()};
}

Result<Arrival> arrive(Shard& shard, net::Endpoint from) {
  const GatewayLimits& limits = shard.snapshot->settings.limits;
  const auto none = [&](Reason reason) {
    shard.metrics.refused[static_cast<std::size_t>(reason)].add();
    return Error{reason, "from " + from.network()};
  };
  const auto answer = shard.shared.limits.handshakes.ask(from.network(), limits.handshakes_per_ip, shard.loop().now());
  if (answer == HandshakeRates::Answer::drop) return none(Reason::limit_handshake_rate);
  auto pending = enter_pending(shard, from);
  if (!pending.ok()) return none(Reason::limit_pending);
  const auto rate = answer == HandshakeRates::Answer::allowed ? Arrival::Rate::within : Arrival::Rate::over;
  return Arrival{shard, shard.snapshot, {std::move(from), {}}, std::move(pending).value(), rate, shard.loop().now()};
}

Reason told_reason(Reason reason) {
  return row(reason).http_status == 401 && reason != Reason::credential_missing ? Reason::credential_invalid : reason;
}

void report_refusal(const Arrival& arrival, const Error& error, const Route* route,
                    std::optional<std::string_view> origin) {
  Shard& shard = arrival.shard;
  shard.metrics.refused[static_cast<std::size_t>(error.reason)].add();
  Event event(shard.shared.log, shard.loop().wall(), Level::warning, "connection.refused");
  event.reason(error.reason).excerpt("detail", error.detail).text("peer", arrival.peer.address.ip());
  if (route) event.text("route", route->name());
  if (origin) event.excerpt("origin", *origin);
}

}  // namespace sallyport::gateway
