#include "sallyport/gateway/connection.h"

#include <algorithm>

#include "sallyport/auth/token.h"
#include "sallyport/base/encoding.h"
#include "sallyport/http/forward.h"
#include "sallyport/http/grammar.h"
#include "sallyport/http/response.h"
#include "sallyport/ws/compose.h"

namespace sallyport::gateway {
namespace {

constexpr std::string_view well_known_prefix = "/.sallyport/";
constexpr auto refusal_timeout = std::chrono::seconds(2);
// What a refused peer may still send before it is cut: its request may be longer than what was read of it.
constexpr std::size_t linger_bytes = 256 * 1024;

net::Task<void> serve_connection(Shard& shard, std::size_t listener, net::Fd fd, net::Endpoint from,
                                 PendingPlaces pending, Connection::Rate rate) {
  Connection connection(shard, listener, std::move(fd), std::move(from), std::move(pending), rate);
  co_await connection.serve();
}

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

void count_refusal(Shard& shard, Reason reason) { shard.metrics.refused[static_cast<std::size_t>(reason)].add(); }

// Before the 101 every refused credential looks the same, whichever way the refusal is told.
Reason told_reason(Reason reason) {
  return row(reason).http_status == 401 && reason != Reason::credential_missing ? Reason::credential_invalid : reason;
}

// `bearer.<token>` is never echoed: it would put the token into logs of answers.
std::optional<std::string> first_plain_subprotocol(const http::Upgrade& upgrade) {
  for (const std::string& offered : upgrade.subprotocols()) {
    const std::string_view start = std::string_view(offered).substr(0, auth::token_subprotocol_prefix.size());
    if (!http::equal_ignoring_case(start, auth::token_subprotocol_prefix)) return offered;
  }
  return std::nullopt;
}

}  // namespace

void accept_connection(Shard& shard, std::size_t listener, net::Fd fd, net::Endpoint from) {
  const GatewayLimits& limits = shard.snapshot->settings.limits;
  const auto answer = shard.shared.limits.handshakes.ask(from.network(), limits.handshakes_per_ip, shard.loop().now());
  if (answer == HandshakeRates::Answer::drop) return count_refusal(shard, Reason::limit_handshake_rate);
  PendingLimit::Place pending = shard.shared.limits.pending.enter(limits.pending);
  auto of_network =
      shard.shared.limits.pending_by_network.enter(from.network(), limits.pending_per_ip, Reason::limit_pending);
  if (!pending || !of_network.ok()) return count_refusal(shard, Reason::limit_pending);
  const auto rate = answer == HandshakeRates::Answer::allowed ? Connection::Rate::within : Connection::Rate::over;
  shard.loop().spawn(serve_connection(shard, listener, std::move(fd), std::move(from),
                                      {std::move(pending), std::move(of_network).value()}, rate));
}

Connection::Connection(Shard& shard, std::size_t listener, net::Fd fd, net::Endpoint from, PendingPlaces pending,
                       Rate rate)
    : shard_(shard),
      loop_(shard.loop()),
      snapshot_(shard.snapshot),
      tls_(snapshot_->listener_tls[listener]),
      peer_{std::move(from), {}},
      pending_(std::move(pending)),
      rate_(rate),
      accepted_at_(loop_.now()),
      waiter_(loop_) {
  if (tls_) {
    auto stream = std::make_unique<net::TlsStream>(loop_, std::move(fd), tls_);
    client_tls_ = stream.get();
    client_ = std::move(stream);
  } else {
    client_ = std::make_unique<net::PlainStream>(loop_, std::move(fd));
  }
  client_->attach(waiter_.wake(), net::Waiter::readable, net::Waiter::writable);
}

net::Task<void> Connection::serve() {
  Error error{Reason::internal_bug, ""};
  try {
    const Result<void> served = co_await run();
    if (served.ok()) co_return;
    error = served.error();
  } catch (const std::exception& bug) {
    shard_.metrics.bugs.add();
    error.detail = bug.what();
    Event(shard_.shared.log, loop_.wall(), Level::error, "internal.bug").text("detail", error.detail);
  }
  count_refusal(shard_, error.reason);
  {
    Event event(shard_.shared.log, loop_.wall(), Level::warning, "connection.refused");
    event.reason(error.reason).excerpt("detail", error.detail).text("peer", peer_.address.ip());
    if (route_) event.text("route", route_->name());
    if (upgrade_ && upgrade_->origin()) event.excerpt("origin", *upgrade_->origin());
  }
  co_await refuse(error);
}

// The handshake has a frame of its own, so that what it needed is not kept for the hours that follow.
net::Task<Result<void>> Connection::run() {
  CO_TRY(std::optional<Opened> opened, co_await open());
  if (opened) co_await relay(*opened);
  co_return Result<void>();
}

net::Task<Result<std::optional<Connection::Opened>>> Connection::open() {
  CO_TRY_OK(co_await secure());
  CO_TRY(http::Request request, co_await read_request());
  if (rate_ == Rate::over) co_return Error{Reason::limit_handshake_rate, "handshakes from " + peer_.address.network()};
  if (request.path().starts_with(well_known_prefix)) {
    CO_TRY_OK(co_await answer_well_known(request));
    co_return std::optional<Opened>();
  }
  CO_TRY(upgrade_, http::parse_upgrade(std::move(request)));
  const http::Upgrade& upgrade = *upgrade_;
  CO_TRY(route_, snapshot_->routes.match(upgrade));
  CO_TRY(const http::OriginProof origin, route_->origins().check(upgrade.headers(), upgrade.authority()));
  const auth::Evidence evidence{upgrade, origin, peer_, std::nullopt};
  CO_TRY(auth::Identity identity, co_await prove(evidence));
  CO_TRY(auto network_place, shard_.shared.limits.by_network.enter(route_->name() + '\0' + peer_.address.network(),
                                                                   route_->settings().limits.connections_per_ip,
                                                                   Reason::limit_connections_ip));
  CO_TRY(auto session,
         shard_.sessions.admit(base64url_encode(bytes_of(shard_.random.bytes(16))), std::move(identity), route_,
                               peer_.address.ip(), loop_.wall(), waiter_, std::move(network_place)));
  // A drain closes whom it finds in the table; who comes into it after that must not stay.
  if (shard_.shared.draining) co_return Error{Reason::server_draining, "admitted while draining"};
  pending_.reset();
  CO_TRY(Upstream upstream, co_await open_upstream(upgrade, *session));
  CO_TRY_OK(co_await write_switching(upgrade, upstream.subprotocol));
  co_return std::optional<Opened>(Opened{origin, std::move(session), std::move(upstream)});
}

net::Task<Result<void>> Connection::secure() {
  if (client_tls_) {
    CO_TRY_OK(co_await net::handshake(waiter_, *client_tls_,
                                      deadline(snapshot_->settings.limits.tls_timeout, Reason::tls_failed)));
    peer_.tls_version = client_tls_->version();
    shard_.metrics.tls_handshakes.add();
    if (client_tls_->resumed()) shard_.metrics.tls_resumed.add();
  }
  secured_ = true;
  co_return Result<void>();
}

net::Task<Result<http::Request>> Connection::read_request() {
  const net::Deadline by = deadline(snapshot_->settings.limits.header_timeout, Reason::http_timeout);
  const http::Limits limits;
  http::HeadProgress progress;
  for (;;) {
    const std::size_t before = received_.size();
    received_.resize(before + 4096);
    const auto room = MutableBytes(reinterpret_cast<Byte*>(received_.data()), received_.size()).subspan(before);
    const Result<std::size_t> count = co_await waiter_.read_some(*client_, room, by);
    received_.resize(before + (count.ok() ? *count : 0));
    if (!count.ok()) co_return count.error();
    CO_TRY(auto parsed, http::parse_request_head(bytes_of(received_), progress,
                                                 tls_ ? http::Scheme::https : http::Scheme::http, limits));
    if (!parsed) continue;
    received_.erase(0, parsed->consumed);
    // From here until the relay nothing is read: a client that talks on before the 101 waits in the kernel.
    client_->pause_reading();
    co_return std::move(parsed->request);
  }
}

net::Task<Result<void>> Connection::answer_well_known(const http::Request& request) {
  const bool known = request.path() == "/.sallyport/jwks.json" && snapshot_->routes.has_host(request.host());
  if (!known) co_return Error{Reason::route_not_found, "no such endpoint below " + std::string(well_known_prefix)};
  if (request.method() != "GET") co_return Error{Reason::http_method_not_allowed, "only GET"};
  const std::string answer = http::make_response(200,
                                                 {{"Content-Type", "application/jwk-set+json"},
                                                  {"Cache-Control", "public, max-age=300"},
                                                  {"Access-Control-Allow-Origin", "*"}},
                                                 snapshot_->assertion->jwks());
  CO_TRY_OK(co_await waiter_.write_all(*client_, bytes_of(answer), deadline(refusal_timeout, Reason::peer_too_slow)));
  co_await linger();
  co_return Result<void>();
}

net::Task<Result<auth::Identity>> Connection::prove(const auth::Evidence& evidence) {
  auth::Here here = shard_.here();
  CO_TRY(auth::Identity identity,
         co_await route_->chain().authenticate(
             evidence, here, deadline(snapshot_->settings.limits.auth_timeout, Reason::auth_timeout)));
  // A clock difference is tolerated when a credential is judged, but a connection cannot be opened after its end.
  if (identity->expires_at <= loop_.wall()) co_return Error{Reason::credential_expired, "expired within the leeway"};
  co_return identity;
}

net::Task<Result<Connection::Upstream>> Connection::open_upstream(const http::Upgrade& upgrade,
                                                                  const Session& session) {
  Upstream upstream;
  CO_TRY(UpstreamPool::Dialled dialled, co_await route_->upstream().dial(waiter_));
  upstream.stream = std::move(dialled.stream);
  upstream.place = std::move(dialled.place);
  upstream.stream->attach(waiter_.wake(), net::Waiter::readable, net::Waiter::writable);

  http::ForwardOptions options;
  options.key = base64_encode(bytes_of(shard_.random.bytes(16)));
  const http::UpstreamUrl& url = upstream.place->url();
  options.host = route_->settings().upstream.keep_host ? http::HostField::kept : http::HostField::replaced;
  options.upstream_host = url.host_text();
  if (!url.path.empty()) options.path = url.path;
  options.client_address = peer_.address.ip();
  options.client_scheme = tls_ ? http::Scheme::https : http::Scheme::http;
  options.strip = route_->strip();
  options.added.add("X-Sallyport-Identity",
                    snapshot_->assertion->sign(session.identity(), session.id(), route_->name(), loop_.wall()));
  options.added.add("X-Sallyport-Subject", session.identity()->subject);
  options.added.add("X-Sallyport-Connection", session.id());
  CO_TRY(const http::UpstreamRequest request, http::make_upstream_request(upgrade, options));

  const net::Deadline by = deadline(route_->settings().upstream.connect_timeout, Reason::upstream_timeout);
  http::HeadProgress progress;
  const std::string accept = http::accept_key(options.key);
  Result<void> written = co_await waiter_.write_all(*upstream.stream, bytes_of(request.text), by);
  std::string answer;
  while (written.ok()) {
    const std::size_t before = answer.size();
    answer.resize(before + 4096);
    const auto room = MutableBytes(reinterpret_cast<Byte*>(answer.data()), answer.size()).subspan(before);
    const Result<std::size_t> count = co_await waiter_.read_some(*upstream.stream, room, by);
    if (!count.ok()) {
      written = count.error();
      break;
    }
    answer.resize(before + *count);
    CO_TRY(auto switching, http::parse_switching(bytes_of(answer), progress, accept, {request.subprotocols, options.deflate}));
    if (!switching) continue;
    upstream.subprotocol = std::move(switching->subprotocol);
    upstream.early = answer.substr(switching->consumed);
    upstream.stream->pause_reading();
    co_return upstream;
  }
  Error error = written.error();
  if (error.reason == Reason::peer_gone)
    error = {Reason::upstream_unavailable, "backend closed before it answered the handshake"};
  co_return error;
}

net::Task<Result<void>> Connection::write_switching(const http::Upgrade& upgrade,
                                                    const std::optional<std::string>& subprotocol) {
  // A browser fails a connection that answers none of its subprotocols; when the backend chose none, the control channel is ours.
  // It is not promised where there is none: what a client then says to the gateway, a token, would go on to the backend.
  std::optional<std::string_view> chosen = subprotocol;
  const auto& offered = upgrade.subprotocols();
  const bool wanted = wants_control(upgrade) && std::ranges::find(offered, control_subprotocol) != offered.end();
  if (!chosen && wanted) chosen = control_subprotocol;
  const std::string answer = http::make_switching(http::accept_key(upgrade.key()), chosen);
  switched_ = true;
  co_return co_await waiter_.write_all(*client_, bytes_of(answer), deadline(refusal_timeout, Reason::peer_too_slow));
}

bool Connection::wants_control(const http::Upgrade& upgrade) const {
  const Control control = route_->settings().control;
  if (control != Control::offered) return control == Control::always;
  const auto& offered = upgrade.subprotocols();
  return std::ranges::find(offered, control_subprotocol) != offered.end();
}

net::Task<void> Connection::relay(Opened& opened) {
  const auth::Evidence evidence{*upgrade_, opened.origin, peer_, std::nullopt};
  Session& session = *opened.session;
  Upstream& upstream = opened.upstream;
  Metrics& metrics = shard_.metrics;
  metrics.connections_accepted.add();
  const OpenGauge open(metrics.connections_open);
  metrics.handshake_seconds.observe(std::chrono::duration<double>(loop_.clock().now() - accepted_at_).count());
  {
    Event event(shard_.shared.log, loop_.wall(), Level::info, "connection.accepted");
    event.text("connection", session.id()).text("route", route_->name()).text("subject", session.identity()->subject);
    event.text("issuer", session.identity()->issuer).text("mechanism", session.identity()->mechanism);
    event.number("expires_at", to_unix_seconds(session.identity()->expires_at)).text("peer", peer_.address.ip());
    if (evidence.upgrade.origin()) event.text("origin", *evidence.upgrade.origin());
    event.text("tls", peer_.tls_version).text("backend", upstream.place->text());
  }
  auth::Here here = shard_.here();
  const RelayContext context{
      shard_.scratch, metrics, shard_.shared.log, shard_.random, here, snapshot_->settings.limits, shard_.snapshot};
  Relay relay(context, waiter_, session, evidence,
              wants_control(evidence.upgrade) ? Relay::ControlChannel::on : Relay::ControlChannel::off, *client_,
              *upstream.stream);
  received_.shrink_to_fit();  // kept for hours, and nearly always empty
  const Ending ending = co_await relay.run(bytes_of(received_), bytes_of(upstream.early));
  metrics.closed[static_cast<std::size_t>(ending.reason)].add();
  Event event(shard_.shared.log, loop_.wall(), Level::info, "connection.closed");
  event.text("connection", session.id()).text("route", route_->name()).text("subject", session.identity()->subject);
  event.reason(ending.reason).text("by", name_of(ending.by)).number("code", ending.code).text("detail", ending.detail);
  event.number("duration_ms", (loop_.wall() - session.admitted_at()).count());
  event.number("messages_in", static_cast<std::int64_t>(relay.from_client().messages));
  event.number("messages_out", static_cast<std::int64_t>(relay.from_backend().messages));
  event.number("bytes_in", static_cast<std::int64_t>(relay.from_client().bytes));
  event.number("bytes_out", static_cast<std::int64_t>(relay.from_backend().bytes));
}

net::Task<void> Connection::refuse(const Error& error) {
  // A peer that is gone or never finished its TLS handshake cannot be told anything.
  if (!secured_ || switched_ || error.reason == Reason::peer_gone) co_return;
  net::Waiter waiter(loop_);  // the connection's own may be interrupted already
  client_->attach(waiter.wake(), net::Waiter::readable, net::Waiter::writable);
  const Reason reason = told_reason(error.reason);
  std::string answer = http::make_refusal(reason);
  const bool readable_close = upgrade_ && route_ && route_->settings().refusal == Refusal::close;
  if (readable_close) {
    const auto subprotocol = first_plain_subprotocol(*upgrade_);
    answer = http::make_switching(http::accept_key(upgrade_->key()), subprotocol);
    ws::append_close(answer, row(reason).close_code, row(reason).told);
  }
  const Result<void> written =
      co_await waiter.write_all(*client_, bytes_of(answer), deadline(refusal_timeout, Reason::peer_too_slow));
  if (written.ok()) co_await linger();
}

// Reads on for a moment after the last word: closing a socket with unread bytes would reset it and lose that word.
net::Task<void> Connection::linger() {
  net::Waiter waiter(loop_);
  client_->attach(waiter.wake(), net::Waiter::readable, net::Waiter::writable);
  client_->finish();
  client_->resume_reading();
  const net::Deadline by = deadline(refusal_timeout, Reason::peer_too_slow);
  std::array<Byte, 4096> ignored;
  for (std::size_t read = 0; read < linger_bytes;) {
    const Result<std::size_t> count = co_await waiter.read_some(*client_, ignored, by);
    if (!count.ok()) break;
    read += *count;
  }
}

net::Deadline Connection::deadline(std::chrono::milliseconds after, Reason late) const {
  // Who is over its rate holds its place only as long as it takes to be told so.
  if (rate_ == Rate::over) after = std::min<std::chrono::milliseconds>(after, refusal_timeout);
  return {loop_.clock().now() + after, late};
}

}  // namespace sallyport::gateway
