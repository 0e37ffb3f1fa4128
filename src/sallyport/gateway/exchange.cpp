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
