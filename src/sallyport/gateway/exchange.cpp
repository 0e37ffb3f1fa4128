#include "sallyport/gateway/exchange.h"

#include <algorithm>

#include "sallyport/gateway/route.h"

namespace sallyport::gateway {
namespace {

constexpr auto answer_timeout = std::chrono::seconds(2);

HandshakeRates::Answer ask_rate(Shard& shard, const net::Endpoint& from) {
  if (shard.snapshot->trusted_proxies.contains(from)) return HandshakeRates::Answer::allowed;
  return shard.shared.limits.handshakes.ask(from.network(), shard.snapshot->settings.limits.handshakes_per_ip,
                                            shard.loop().now());
}

Arrival::Rate rate_of(HandshakeRates::Answer answer) {
  return answer == HandshakeRates::Answer::allowed ? Arrival::Rate::within : Arrival::Rate::over;
}

Arrival make_arrival(Shard& shard, net::Endpoint from, PendingPlaces pending, Arrival::Rate rate) {
  return {.shard = shard,
          .snapshot = shard.snapshot,
          .peer = {std::move(from), {}, {}},
          .pending = std::move(pending),
          .rate = rate,
          .at = shard.loop().now()};
}

}  // namespace

net::Deadline Arrival::deadline(std::chrono::milliseconds after, Reason late) const {
  if (rate == Rate::over) after = std::min<std::chrono::milliseconds>(after, answer_timeout);
  return {shard.loop().clock().now() + after, late};
}

net::Deadline Arrival::answer_deadline() const { return deadline(answer_timeout, Reason::peer_too_slow); }

Result<PendingPlaces> enter_pending(Shard& shard, const net::Endpoint& from) {
  const GatewayLimits& limits = shard.snapshot->settings.limits;
  const Error full{Reason::limit_pending, "from " + from.network()};
  PendingPlaces places{shard.shared.limits.pending.enter(limits.pending), {}};
  if (!places.among_all) return full;
  if (shard.snapshot->trusted_proxies.contains(from)) return places;
  auto of_network =
      shard.shared.limits.pending_by_network.enter(from.network(), limits.pending_per_ip, Reason::limit_pending);
  if (!of_network.ok()) return full;
  places.among_its_network = std::move(of_network).value();
  return places;
}

Result<Arrival> arrive(Shard& shard, net::Endpoint from) {
  const auto none = [&](Reason reason) {
    shard.metrics.refused[static_cast<std::size_t>(reason)].add();
    return Error{reason, "from " + from.network()};
  };
  const auto answer = ask_rate(shard, from);
  if (answer == HandshakeRates::Answer::drop) return none(Reason::limit_handshake_rate);
  auto pending = enter_pending(shard, from);
  if (!pending.ok()) return none(Reason::limit_pending);
  return make_arrival(shard, std::move(from), std::move(pending).value(), rate_of(answer));
}

Result<Arrival> arrive_behind(Shard& shard, net::Endpoint proxy) {
  PendingPlaces places{shard.shared.limits.pending.enter(shard.snapshot->settings.limits.pending), {}};
  if (!places.among_all) {
    shard.metrics.refused[static_cast<std::size_t>(Reason::limit_pending)].add();
    return Error{Reason::limit_pending, "from " + proxy.network()};
  }
  return make_arrival(shard, std::move(proxy), std::move(places), Arrival::Rate::within);
}

Result<void> enter_as(Arrival& arrival, net::Endpoint client) {
  Shard& shard = arrival.shard;
  arrival.peer.address = std::move(client);
  const std::string network = arrival.peer.address.network();
  const auto answer = ask_rate(shard, arrival.peer.address);
  if (answer == HandshakeRates::Answer::drop) return Error{Reason::limit_handshake_rate, "handshakes from " + network};
  arrival.rate = rate_of(answer);
  auto of_network = shard.shared.limits.pending_by_network.enter(
      network, shard.snapshot->settings.limits.pending_per_ip, Reason::limit_pending);
  if (!of_network.ok()) return Error{Reason::limit_pending, "from " + network};
  if (arrival.pending) arrival.pending->among_its_network = std::move(of_network).value();
  return {};
}

Reason told_reason(Reason reason) {
  return row(reason).http_status == 401 && reason != Reason::credential_missing ? Reason::credential_invalid : reason;
}

void report_refusal(Shard& shard, const net::Endpoint& from, const Error& error) {
  shard.metrics.refused[static_cast<std::size_t>(error.reason)].add();
  Event event(shard.shared.log, shard.loop().wall(), Level::warning, "connection.refused");
  event.reason(error.reason).excerpt("detail", error.detail).text("peer", from.ip());
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
