#include "sallyport/auth/ticket/ticket.h"

#include <algorithm>

#include "sallyport/auth/carried.h"
#include "sallyport/auth/within.h"
#include "sallyport/base/encoding.h"
#include "sallyport/base/json.h"
#include "sallyport/crypto/digest.h"

namespace sallyport::auth {
namespace {

constexpr std::size_t random_size = 32;
constexpr std::size_t most_kept = 100'000;

std::string key_of(const store::TokenHash& hash) { return "ticket:" + std::string(text_of(hash)); }

// What tells tickets apart in logs: a part of the hash says nothing of the ticket.
std::string id_of(const store::TokenHash& hash) { return hex_encode(Bytes(hash).first(8)); }

std::string row_text(const std::string& route, const TicketBounds& bounds, bool bind_address, bool whole,
                     const Proven& proven) {
  json::Object row{{"route", route}, {"origin", bounds.origin}, {"whole", whole}, {"joined", !proven.parts.empty()}};
  if (bind_address) row.emplace_back("network", bounds.network);
  row.emplace_back("proven", carried_text(proven));
  return json::dump(std::move(row));
}

struct Row {
  std::string route;
  std::string origin;
  std::optional<std::string> network;
  bool whole;   // nothing of the identity stayed behind
  bool joined;  // several mechanisms proved it
  Proven proven;
};

Result<Row> read_row(std::string_view text) {
  const Error unsound{Reason::credential_invalid, "what the store keeps of the ticket is not sound"};
  const Result<json::Value> read = json::parse(text);
  if (!read.ok()) return unsound;
  const std::string* route = read->find_string("route");
  const std::string* origin = read->find_string("origin");
  const std::string* proven = read->find_string("proven");
  const json::Value* whole = read->find("whole");
  if (!route || !origin || !proven || !whole || !whole->boolean()) return unsound;
  const json::Value* joined = read->find("joined");
  if (!joined || !joined->boolean()) return unsound;
  Row row{*route, *origin, std::nullopt, *whole->boolean(), *joined->boolean(), {}};
  if (const json::Value* network = read->find("network")) {
    if (!network->string()) return unsound;
    row.network = *network->string();
  }
  TRY(row.proven, parse_carried(*proven));
  return row;
}

Error misused(const std::string& id, std::string_view how) {
  return {Reason::credential_invalid, "ticket " + id + " " + std::string(how)};
}

Result<void> check_place(const Row& row, const std::string& id, const std::string& route, const Evidence& evidence) {
  if (row.route != route) return misused(id, "is for route '" + row.route + "'");
  if (row.network && *row.network != evidence.peer.address.network())
    return misused(id, "was given to " + *row.network + ", not to " + evidence.peer.address.network());
  // Once the handshake is over, what is left of its Origin is whether there was an allowed one.
  if (!evidence.request) {
    const auto needed = row.origin.empty() ? http::OriginProof::absent : http::OriginProof::allowed;
    if (evidence.origin != needed) return misused(id, "is for another Origin");
    return {};
  }
  TRY(const std::string origin, origin_text(evidence.request->headers()));
  if (origin != row.origin) return misused(id, "is for another Origin");
  return {};
}

}  // namespace

Result<std::string> origin_text(const http::Headers& headers) {
  const auto given = headers.find_all("origin");
  if (given.empty()) return std::string();
  if (given.size() > 1) return Error{Reason::origin_not_allowed, "Origin is there twice"};
  if (given.front() == "null") return std::string("null");
  TRY(const http::Origin origin, http::parse_origin(given.front()));
  return origin.scheme() + "://" + origin.host() + ":" + std::to_string(origin.port());
}

net::Task<Result<IssuedTicket>> TicketAuthenticator::issue(Identity identity, TicketBounds bounds, Here& here,
                                                           net::Deadline deadline) const {
  const WallTime now = here.loop.wall();
  const Secret bytes(here.random.bytes(random_size));
  IssuedTicket issued;
  issued.ticket = Secret(std::string(ticket_prefix) + base64url_encode(bytes.bytes()));
  const Hash hash = crypto::sha256(issued.ticket.bytes());
  issued.id = id_of(hash);
  issued.expires_at = std::min(now + config_.lifetime, identity->expires_at);
  const bool whole = !identity->grounds && identity->parts.empty();
  std::string row = row_text(route_, bounds, config_.bind_address, whole, *identity);
  auto putting = here.store.put_once(key_of(hash), std::move(row), issued.expires_at);
  CO_TRY_OK(co_await within(here.loop, std::move(putting), deadline));
  if (!whole) keep(hash, identity, issued.expires_at, now);
  co_return std::move(issued);
}

net::Task<Verdict> TicketAuthenticator::authenticate(const Evidence& evidence, Here& here,
                                                     net::Deadline deadline) const {
  Result<std::optional<PresentedToken>> found = find_token(evidence, sources_);
  if (!found) co_return Verdict::refuse(std::move(found).error());
  if (!*found) co_return Verdict::not_mine();
  // A parameter or a cookie of ours holds nothing else; the other places are everybody's.
  const TokenPlace place = (*found)->place;
  const bool ours = place == TokenPlace::query || place == TokenPlace::cookie;
  if (!ours && !(*found)->token.reveal().starts_with(ticket_prefix)) co_return Verdict::not_mine();
  std::string ticket((*found)->token.reveal());
  auto redeeming = redeem(evidence, std::move(ticket), here, deadline);
  Result<Identity> identity = co_await redeeming;
  if (!identity.ok()) co_return Verdict::refuse(std::move(identity).error());
  co_return Verdict::accept(*std::move(identity));
}

net::Task<Result<Identity>> TicketAuthenticator::redeem(const Evidence& evidence, std::string ticket, Here& here,
                                                        net::Deadline deadline) const {
  // Else whoever has one could have a fresh one for it, for ever.
  if (evidence.request && evidence.request->method() != "GET" && evidence.request->method() != "CONNECT")
    co_return Error{Reason::credential_invalid, "a ticket opens a socket and nothing else"};
  const Hash hash = crypto::sha256(bytes_of(ticket));
  const std::string id = id_of(hash);
  const WallTime now = here.loop.wall();
  // Reading first keeps guesses away from the one who writes.
  auto finding = here.store.find_once(key_of(hash), now);
  CO_TRY(const std::optional<std::string> text, co_await within(here.loop, std::move(finding), deadline));
  if (!text) co_return misused(id, "is unknown, or its time is over");
  CO_TRY(Row row, read_row(*text));
  // Used up whatever comes of it: one that turns up in the wrong place was seen by somebody whom it was not given to.
  auto claiming = here.store.claim(key_of(hash), now + config_.lifetime);
  CO_TRY(const bool first, co_await within(here.loop, std::move(claiming), deadline));
  if (!first) co_return Error{Reason::credential_replayed, "ticket " + id + " was used before"};
  std::optional<Identity> kept = take(hash);
  CO_TRY_OK(check_place(row, id, route_, evidence));
  if (row.proven.expires_at <= now)
    co_return Error{Reason::credential_expired, "the credential behind ticket " + id + " has expired"};
  if (kept) co_return *std::move(kept);
  // The handles of its parts stayed behind, and no revocation of one of them would find what came of it.
  if (row.joined)
    co_return Error{Reason::credential_invalid, "ticket " + id + " is good at the instance that gave it only"};
  if (!row.whole) {
    row.proven.mechanism = mechanism();
    row.proven.watch_key.clear();
    row.proven.expires_at = std::min(row.proven.expires_at, now + config_.unwatched);
  }
  co_return Verdict::accept(std::move(row.proven)).take();
}

void TicketAuthenticator::keep(const Hash& hash, const Identity& identity, WallTime until, WallTime now) const {
  const std::scoped_lock lock(mutex_);
  if (kept_.size() >= sweep_at_) {
    std::erase_if(kept_, [&](const auto& entry) { return entry.second.until <= now; });
    sweep_at_ = std::max(first_sweep, kept_.size() * 2);
  }
  if (kept_.size() < most_kept) kept_.emplace(hash, Kept{identity, until});
}

std::optional<Identity> TicketAuthenticator::take(const Hash& hash) const {
  const std::scoped_lock lock(mutex_);
  const auto taken = kept_.extract(hash);
  if (taken.empty()) return std::nullopt;
  return taken.mapped().identity;
}

Result<std::shared_ptr<const Authenticator>> make_authenticator(const TicketConfig& config, const std::string& route) {
  TRY(auto sources, parse_token_sources(config.from));
  return std::shared_ptr<const Authenticator>(std::make_shared<TicketAuthenticator>(config, std::move(sources), route));
}

config::Plug ticket_plug() {
  return {
      "ticket", config::Maturity::preview, config::Posture::hostile_clients, {"RFC 6454", "RFC 6750"}, ticket_schema()};
}

}  // namespace sallyport::auth
