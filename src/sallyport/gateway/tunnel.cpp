#include "sallyport/gateway/tunnel.h"

#include <algorithm>

#include "sallyport/auth/opaque/opaque_token.h"
#include "sallyport/auth/sender_constraint.h"
#include "sallyport/auth/within.h"
#include "sallyport/base/encoding.h"
#include "sallyport/gateway/endpoints.h"
#include "sallyport/gateway/proof.h"
#include "sallyport/gateway/proxies.h"
#include "sallyport/http/forward.h"
#include "sallyport/http/grammar.h"
#include "sallyport/ws/compose.h"
#include "sallyport/ws/control.h"

namespace sallyport::gateway {
namespace {

// Counts as one open connection for as long as it lives, whichever way the relay ends.
class OpenGauge {
 public:
  explicit OpenGauge(metric::Gauge& gauge) : gauge_(gauge) { gauge_.add(1); }
  OpenGauge(const OpenGauge&) = delete;
  OpenGauge& operator=(const OpenGauge&) = delete;
  ~OpenGauge() { gauge_.add(-1); }

 private:
  metric::Gauge& gauge_;
};

// `bearer.<token>` and its like are never echoed: it would put the token into logs of answers.
std::optional<std::string> first_plain_subprotocol(const http::Upgrade& upgrade) {
  for (const std::string& offered : upgrade.subprotocols()) {
    if (!auth::is_credential_subprotocol(offered)) return offered;
  }
  return std::nullopt;
}

}  // namespace

Tunnel::Tunnel(Arrival& arrival, Exchange& exchange)
    : arrival_(arrival), exchange_(exchange), shard_(arrival.shard), loop_(arrival.shard.loop()) {}

net::Task<void> Tunnel::serve() {
  Error error{Reason::internal_bug, ""};
  try {
    // The handshake has a frame of its own, so that what it needed is not kept for the hours that follow.
    const Result<Next> opened = co_await open();
    if (opened.ok() && *opened == Next::relay) co_await relay();
    if (opened.ok()) co_return;
    error = opened.error();
  } catch (const std::exception& bug) {
    shard_.metrics.bugs.add();
    error.detail = bug.what();
    Event(shard_.shared.log, loop_.wall(), Level::error, "internal.bug").text("detail", error.detail);
  }
  report_refusal(arrival_, error, route_.get(), upgrade_ ? upgrade_->origin() : std::nullopt);
  co_await refuse(error);
}

net::Task<Result<Tunnel::Next>> Tunnel::open() {
  CO_TRY(http::Request request, co_await exchange_.receive());
  CO_TRY_OK(take_forwarded(arrival_, request));
  if (arrival_.rate == Arrival::Rate::over)
    co_return Error{Reason::limit_handshake_rate, "handshakes from " + arrival_.peer.address.network()};
  if (request.path().starts_with(endpoint_prefix)) {
    CO_TRY_OK(co_await serve_endpoint(arrival_, exchange_, request));
    co_return Next::nothing;
  }
  if (request.content_length().value_or(0) != 0)
    co_return Error{Reason::message_too_big, "a body where none is expected"};
  CO_TRY(http::Upgrade parsed, http::parse_upgrade(std::move(request)));
  upgrade_ = std::make_unique<const http::Upgrade>(std::move(parsed));
  const http::Upgrade& upgrade = *upgrade_;
  CO_TRY(route_, arrival_.snapshot->routes.match(upgrade));
  CO_TRY_OK(route_->check_address(arrival_.peer.address));
  CO_TRY(const auto deflate_offers, client_offers(route_->settings().compression, upgrade));
  CO_TRY(const http::OriginProof origin, route_->origins().check(upgrade.headers(), upgrade.authority()));
  auth::Evidence evidence{&upgrade.request(), origin, arrival_.peer};
  evidence.subprotocols = upgrade.subprotocols();
  const bool at_once = route_->settings().timing == Timing::handshake;
  auto proving = at_once ? prove(evidence) : welcome(upgrade, origin);
  CO_TRY(auth::Identity identity, co_await proving);
  CO_TRY(auto network_place, shard_.shared.limits.by_network.enter(
                                 route_->name() + '\0' + arrival_.peer.address.network(),
                                 route_->settings().limits.connections_per_ip, Reason::limit_connections_ip));
  CO_TRY(auto session,
         shard_.sessions.admit(base64url_encode(bytes_of(shard_.random.bytes(16))), std::move(identity), route_,
                               arrival_.peer.address.ip(), loop_.wall(), exchange_.waiter(), std::move(network_place)));
  // A drain closes whom it finds in the table; who comes into it after that must not stay.
  if (shard_.shared.draining) co_return Error{Reason::server_draining, "admitted while draining"};
  arrival_.pending.reset();
  if (route_->settings().exchange && wants_control(upgrade)) {
    auto exchanging = exchange(*session);
    CO_TRY_OK(co_await exchanging);
  }
  CO_TRY(Upstream upstream, co_await open_upstream(upgrade, *session, deflate_offers));
  if (stage_ == Stage::asked) {
    CO_TRY_OK(co_await accept(upgrade, agreement(upgrade, upstream)));
  } else if (upstream.subprotocol.value_or("") != agreed_early_) {
    co_return Error{Reason::upstream_protocol, "the backend chose another subprotocol than was agreed to"};
  }
  origin_ = origin;
  session_ = std::move(session);
  upstream_ = std::move(upstream);
  co_return Next::relay;
}

net::Task<Result<auth::Identity>> Tunnel::prove(const auth::Evidence& evidence) {
  auto proving = gateway::prove(arrival_, *route_, evidence);
  CO_TRY(auth::Identity identity, co_await proving);
  // A clock difference is tolerated when a credential is judged, but a connection cannot be opened after its end.
  if (identity->expires_at <= loop_.wall()) co_return Error{Reason::credential_expired, "expired within the leeway"};
  co_return identity;
}

// Only what time and revocation alone can end is exchanged, since nobody would ask the source of anything else again, and only what is
// good for whoever has it, like what it is exchanged for. Behind the limits of
// connections, since it writes a row.
net::Task<Result<void>> Tunnel::exchange(Session& session) {
  const auth::Identity proven = session.identity();
  if (proven->mechanism != "jwt" || proven->key_bound) co_return Result<void>();
  auth::MintedToken minted = auth::mint_token(shard_.random);
  store::TokenRow row;
  row.hash = minted.hash;
  row.id = base64url_encode(bytes_of(shard_.random.bytes(16)));
  row.subject = proven->subject;
  row.issuer = proven->issuer;
  row.route = route_->name();
  row.session_id = proven->session_id;
  row.tenant = proven->tenant;
  row.scopes = proven->scopes;
  row.roles = proven->roles;
  // A revocation of what was issued before must find what came of it.
  row.issued_at = proven->issued_at.value_or(WallTime{});
  row.expires_at = loop_.wall() + route_->settings().exchange->lifetime;
  auth::Here here = shard_.here();
  auto putting = here.store.put_token(std::move(row));
  auto put = auth::within(loop_, std::move(putting), auth_deadline(arrival_));
  CO_TRY_OK(co_await put);
  const auth::Evidence evidence{nullptr, origin_, arrival_.peer, minted.token.reveal()};
  auto proving = prove(evidence);
  CO_TRY(auth::Identity fresh, co_await proving);
  CO_TRY_OK(session.renew(std::move(fresh)));
  session_token_.emplace(std::move(minted.token));
  co_return Result<void>();
}

net::Task<Result<auth::Identity>> Tunnel::welcome(const http::Upgrade& upgrade, http::OriginProof origin) {
  const GatewayLimits& limits = arrival_.snapshot->settings.limits;
  const std::string network = arrival_.peer.address.network();
  CO_TRY(auto place,
         shard_.shared.limits.waiting_by_network.enter(network, limits.waiting_per_ip, Reason::limit_waiting));
  const std::size_t loops = std::max<std::size_t>(shard_.shared.shards.size(), 1);
  const std::size_t share = (limits.waiting + loops - 1) / loops;
  const auto guest = shard_.lobby.enter(exchange_.waiter(), route_->name(), shard_.random, share, std::move(place));
  arrival_.pending.reset();  // from here on it holds a place in the lobby

  const auto& spoken = route_->settings().subprotocols;
  const auto is_spoken = [&](const std::string& offered) { return std::ranges::find(spoken, offered) != spoken.end(); };
  const auto chosen = std::ranges::find_if(upgrade.subprotocols(), is_spoken);
  agreed_early_ = chosen == upgrade.subprotocols().end() ? std::string() : *chosen;
  Upstream none;
  if (!agreed_early_->empty()) none.subprotocol = *agreed_early_;
  CO_TRY_OK(co_await accept(upgrade, agreement(upgrade, none)));
  CO_TRY(auth::Identity identity, co_await listen(*guest, origin));
  if (identity->expires_at <= loop_.wall()) co_return Error{Reason::credential_expired, "expired within the leeway"};
  co_return identity;
}

net::Task<Result<auth::Identity>> Tunnel::listen(const Lobby::Guest& guest, http::OriginProof origin) {
  const RouteSettings& route = route_->settings();
  const bool vouched_for = route.timing == Timing::out_of_band;
  std::string word;
  if (vouched_for) {
    ws::append_text(word, ws::bind_notice(guest.code(), route.waiting.timeout));
  } else if (const auto greeting = auth::greeting(route.waiting.protocol, shard_.random)) {
    ws::append_text(word, *greeting);
  }
  const net::Deadline by = arrival_.deadline(route.waiting.timeout, Reason::credential_late);
  if (!word.empty()) CO_TRY_OK(co_await exchange_.waiter().write_all(exchange_.stream(), bytes_of(word), by));

  FirstWords words(exchange_, route.waiting.message_size.bytes);
  const std::uint32_t wake_bits = vouched_for ? Lobby::vouched : 0;
  CO_TRY(const FirstWords::Message message, co_await words.next(by, wake_bits));
  if (vouched_for) {
    if (!guest.identity())
      co_return Error{Reason::credential_missing, "a message before anybody vouched for the socket"};
    early_client_ = text_of(words.rest());
    co_return *guest.identity();
  }
  CO_TRY(const auth::Opening opening, open_message(message));
  early_client_.emplace();
  if (opening.for_backend) {
    ws::Mask mask;
    shard_.random.fill(mask);
    const auto opcode = message.kind == ws::Unit::Kind::text ? ws::Opcode::text : ws::Opcode::binary;
    ws::append_frame(*early_client_, opcode, bytes_of(*opening.for_backend), mask);
  }
  early_client_->append(text_of(words.rest()));
  const auth::Evidence evidence{nullptr, origin, arrival_.peer, opening.token.reveal()};
  auto proving = gateway::prove(arrival_, *route_, evidence);
  CO_TRY(auth::Identity identity, co_await proving);
  if (!opening.claimed_subject.empty() && opening.claimed_subject != identity->subject) {
    // The backend would take the client's word for who it is.
    co_return Error{Reason::credential_other_subject, "the first message names another user than its credential"};
  }
  co_return identity;
}

Result<auth::Opening> Tunnel::open_message(const FirstWords::Message& message) const {
  const WaitingSettings& waiting = route_->settings().waiting;
  if (waiting.protocol == auth::OpeningProtocol::control) {
    TRY(ws::ControlRequest request, ws::parse_control(bytes_of(message.content)));
    if (request.op != ws::ControlRequest::Op::authenticate)
      return Error{Reason::control_malformed, "authenticate expected first"};
    return auth::Opening{std::move(request.token), std::nullopt};
  }
  const bool is_text = message.kind == ws::Unit::Kind::text;
  const auto kind = is_text ? auth::FirstMessage::Kind::text : auth::FirstMessage::Kind::binary;
  const std::string_view where = waiting.credential.empty() ? auth::usual_place(waiting.protocol) : waiting.credential;
  return auth::parse_opening(waiting.protocol, where, {kind, bytes_of(message.content)});
}

net::Task<Result<Tunnel::Upstream>> Tunnel::open_upstream(const http::Upgrade& upgrade, const Session& session,
                                                          std::span<const http::DeflateParameters> deflate_offers) {
  Upstream upstream;
  CO_TRY(UpstreamPool::Dialled dialled, co_await route_->upstream().dial(exchange_.waiter()));
  upstream.stream = std::move(dialled.stream);
  upstream.place = std::move(dialled.place);
  upstream.stream->attach(exchange_.waiter().wake(), net::Waiter::readable, net::Waiter::writable);

  http::ForwardOptions options;
  options.key = base64_encode(bytes_of(shard_.random.bytes(16)));
  const http::UpstreamUrl& url = upstream.place->url();
  options.host = route_->settings().upstream.keep_host ? http::HostField::kept : http::HostField::replaced;
  options.upstream_host = url.host_text();
  if (!url.path.empty()) options.path = url.path;
  options.client_address = arrival_.peer.address.ip();
  options.client_scheme = upgrade.scheme();
  const CompressionSettings& compression = route_->settings().compression;
  options.deflate = backend_offers(compression, {deflate_offers.begin(), deflate_offers.end()});
  options.strip = route_->strip();
  if (agreed_early_) {
    for (const std::string& offered : upgrade.subprotocols()) {
      if (offered != *agreed_early_) options.strip.subprotocols.push_back(offered);
    }
  }
  options.added.add("X-Sallyport-Identity",
                    arrival_.snapshot->assertion->sign(session.identity(), session.id(), route_->name(), loop_.wall()));
  options.added.add("X-Sallyport-Subject", session.identity()->subject);
  options.added.add("X-Sallyport-Connection", session.id());
  CO_TRY(const http::UpstreamRequest request, http::make_upstream_request(upgrade, options));

  const net::Deadline by = arrival_.deadline(route_->settings().upstream.connect_timeout, Reason::upstream_timeout);
  http::HeadProgress progress;
  const std::string accept = http::accept_key(options.key);
  Result<void> written = co_await exchange_.waiter().write_all(*upstream.stream, bytes_of(request.text), by);
  std::string answer;
  while (written.ok()) {
    const std::size_t before = answer.size();
    answer.resize(before + 4096);
    const auto room = MutableBytes(reinterpret_cast<Byte*>(answer.data()), answer.size()).subspan(before);
    const Result<std::size_t> count = co_await exchange_.waiter().read_some(*upstream.stream, room, by);
    if (!count.ok()) {
      written = count.error();
      break;
    }
    answer.resize(before + *count);
    CO_TRY(auto switching,
           http::parse_switching(bytes_of(answer), progress, accept, {request.subprotocols, options.deflate}));
    if (!switching) continue;
    upstream.subprotocol = std::move(switching->subprotocol);
    upstream.compression = agree(compression, deflate_offers, switching->deflate);
    upstream.early = answer.substr(switching->consumed);
    upstream.stream->pause_reading();
    co_return upstream;
  }
  Error error = written.error();
  // A client that gives up interrupts; the backend has done nothing.
  if (error.reason == Reason::peer_gone && !exchange_.waiter().interruption())
    error = {Reason::upstream_unavailable, "backend closed before it answered the handshake"};
  co_return error;
}

net::Task<Result<void>> Tunnel::accept(const http::Upgrade& upgrade, const Agreed& agreed) {
  stage_ = Stage::answering;
  CO_TRY_OK(co_await exchange_.accept(upgrade, agreed, exchange_.waiter()));
  stage_ = Stage::accepted;
  co_return Result<void>();
}

Agreed Tunnel::agreement(const http::Upgrade& upgrade, const Upstream& upstream) const {
  // A browser fails a connection that answers none of its subprotocols; when the backend chose none, the control channel is ours.
  // It is not promised where there is none: what a client then says to the gateway, a token, would go on to the backend.
  Agreed agreed{upstream.subprotocol, upstream.compression.client};
  const auto& offered = upgrade.subprotocols();
  const bool wanted = wants_control(upgrade) && std::ranges::find(offered, control_subprotocol) != offered.end();
  if (!agreed.subprotocol && wanted) agreed.subprotocol = control_subprotocol;
  return agreed;
}

bool Tunnel::wants_control(const http::Upgrade& upgrade) const {
  const Control control = route_->settings().control;
  if (control != Control::offered) return control == Control::always;
  const auto& offered = upgrade.subprotocols();
  return std::ranges::find(offered, control_subprotocol) != offered.end();
}

net::Task<void> Tunnel::relay() {
  stage_ = Stage::relaying;
  Session& session = *session_;
  Metrics& metrics = shard_.metrics;
  metrics.connections_accepted.add();
  if (upgrade_->request().version() == http::Version::http2) metrics.http2_accepted.add();
  const OpenGauge open(metrics.connections_open);
  metrics.handshake_seconds.observe(std::chrono::duration<double>(loop_.clock().now() - arrival_.at).count());
  report_accepted();
  const auto control = wants_control(*upgrade_) ? Relay::ControlChannel::on : Relay::ControlChannel::off;
  upgrade_.reset();  // hours may follow that need nothing of it
  const auth::Evidence evidence{nullptr, origin_, arrival_.peer};
  auth::Here here = shard_.here();
  const RelayContext context{shard_.scratch, metrics, shard_.shared.log,
                             shard_.random,  here,    arrival_.snapshot->settings.limits,
                             shard_.snapshot};
  Relay relay(context, exchange_.waiter(), session, evidence, control, exchange_.stream(), *upstream_.stream,
              upstream_.compression);
  if (early_client_ && route_->settings().waiting.protocol == auth::OpeningProtocol::socketio) relay.drop_greeting();
  if (session_token_) relay.tell_session(*std::exchange(session_token_, std::nullopt));
  const Ending ending =
      co_await relay.run(early_client_ ? bytes_of(*early_client_) : exchange_.early(), bytes_of(upstream_.early));
  metrics.closed[static_cast<std::size_t>(ending.reason)].add();
  report_closed(relay, ending);
}

void Tunnel::report_accepted() const {
  const auth::Identity& identity = session_->identity();
  Event event(shard_.shared.log, loop_.wall(), Level::info, "connection.accepted");
  event.text("connection", session_->id()).text("route", route_->name()).text("subject", identity->subject);
  event.text("issuer", identity->issuer).text("mechanism", identity->mechanism);
  event.number("expires_at", to_unix_seconds(identity->expires_at)).text("peer", arrival_.peer.address.ip());
  if (upgrade_->origin()) event.text("origin", *upgrade_->origin());
  event.text("transport", exchange_.transport())
      .text("tls", arrival_.peer.tls_version)
      .text("backend", upstream_.place->text());
  const Compression& compression = upstream_.compression;
  if (compression.client) event.text("deflate_client", http::answer_text(*compression.client));
  if (compression.backend) event.text("deflate_backend", http::answer_text(*compression.backend));
}

void Tunnel::report_closed(const Relay& relay, const Ending& ending) const {
  const Session& session = *session_;
  Event event(shard_.shared.log, loop_.wall(), Level::info, "connection.closed");
  event.text("connection", session.id()).text("route", route_->name()).text("subject", session.identity()->subject);
  event.reason(ending.reason).text("by", name_of(ending.by)).number("code", ending.code).text("detail", ending.detail);
  event.number("duration_ms", (loop_.wall() - session.admitted_at()).count());
  event.number("messages_in", static_cast<std::int64_t>(relay.from_client().messages));
  event.number("messages_out", static_cast<std::int64_t>(relay.from_backend().messages));
  event.number("bytes_in", static_cast<std::int64_t>(relay.from_client().bytes));
  event.number("bytes_out", static_cast<std::int64_t>(relay.from_backend().bytes));
}

net::Task<void> Tunnel::refuse(const Error& error) {
  // Who is gone cannot be told anything.
  if (stage_ == Stage::answering || stage_ == Stage::relaying || error.reason == Reason::peer_gone) co_return;
  net::Waiter waiter(loop_);  // the exchange's own may be interrupted already
  exchange_.stream().attach(waiter.wake(), net::Waiter::readable, net::Waiter::writable);
  const Reason reason = told_reason(error.reason);
  if (stage_ == Stage::accepted) co_return co_await close(reason, waiter);
  if (!upgrade_ || !route_ || route_->settings().refusal != Refusal::close) {
    http::RefusalOptions options;
    options.retry_after = std::chrono::seconds(arrival_.retry_after);
    const http::Response answer = http::make_refusal(reason, options);
    co_return co_await exchange_.answer(answer, waiter);
  }
  const std::optional<std::string> subprotocol = first_plain_subprotocol(*upgrade_);
  const Agreed agreed{subprotocol, {}};
  const Result<void> accepted = co_await exchange_.accept(*upgrade_, agreed, waiter);
  if (accepted.ok()) co_await close(reason, waiter);
}

net::Task<void> Tunnel::close(Reason reason, net::Waiter& waiter) {
  // Its own close frame was answered already.
  std::string frame;
  if (reason != Reason::peer_closed) ws::append_close(frame, row(reason).close_code, row(reason).told);
  const auto written = co_await waiter.write_all(exchange_.stream(), bytes_of(frame), arrival_.answer_deadline());
  if (written.ok()) co_await exchange_.linger(waiter);
}

}  // namespace sallyport::gateway
