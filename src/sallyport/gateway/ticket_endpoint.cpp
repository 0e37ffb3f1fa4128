#include "sallyport/gateway/ticket_endpoint.h"

#include <algorithm>

#include "sallyport/auth/ticket/ticket.h"

namespace sallyport::gateway {
namespace {

const auth::TicketAuthenticator* tickets_of(const Route& route) {
  for (const auth::Step& step : route.chain().steps()) {
    if (step.authenticators().size() != 1) continue;
    if (const auto* tickets = dynamic_cast<const auth::TicketAuthenticator*>(step.authenticators().front().get()))
      return tickets;
  }
  return nullptr;
}

Result<auth::TicketBounds> read_bounds(const Call& call) {
  auth::TicketBounds bounds;
  bounds.network = call.arrival.peer.address.network();
  TRY(bounds.origin, auth::origin_text(call.request.headers()));
  const json::Value* named = call.json.find("origin");
  if (!named) return bounds;
  if (!named->string()) return Error{Reason::request_invalid, "origin is no text"};
  http::Headers headers;
  headers.add("origin", *named->string());
  TRY_OK(call.route->origins().check(headers, call.request.authority()));
  TRY(std::string origin, auth::origin_text(headers));
  if (!bounds.origin.empty() && bounds.origin != origin)
    return Error{Reason::origin_not_allowed, "a page asks for a ticket for another Origin than its own"};
  bounds.origin = std::move(origin);
  return bounds;
}

}  // namespace

net::Task<Result<http::Response>> give_ticket(Call& call) {
  CO_TRY_OK(find_route(call));
  const auth::TicketAuthenticator* tickets = tickets_of(*call.route);
  if (!tickets) co_return Error{Reason::request_not_found, "the route has no tickets"};
  auto proving = prove(call);
  CO_TRY(auth::Identity identity, co_await proving);
  CO_TRY(auth::TicketBounds bounds, read_bounds(call));
  Shard& shard = call.arrival.shard;
  auth::Here here = shard.here();
  auto issuing = tickets->issue(identity, std::move(bounds), here, auth_deadline(call.arrival));
  CO_TRY(const auth::IssuedTicket issued, co_await issuing);
  const WallTime now = shard.loop().wall();
  Event(shard.shared.log, now, Level::info, "ticket.issued")
      .text("ticket", issued.id)
      .text("route", call.route->name())
      .text("subject", identity->subject)
      .text("mechanism", identity->mechanism)
      .text("peer", call.arrival.peer.address.ip());
  const auto left = std::chrono::duration_cast<std::chrono::seconds>(issued.expires_at - now);
  co_return json_answer(200, {{"ticket", issued.ticket.reveal()}, {"expires_in", std::int64_t{left.count()}}});
}

}  // namespace sallyport::gateway
