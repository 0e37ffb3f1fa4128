#include "sallyport/gateway/relay.h"

#include <algorithm>

#include "sallyport/gateway/route.h"
#include "sallyport/ws/close.h"
#include "sallyport/ws/compose.h"
#include "sallyport/ws/control.h"

namespace sallyport::gateway {
namespace {

// How many reads one side gets before the other connections of the loop have their turn.
constexpr int reads_per_turn = 4;
// What a slow side must take in the time of `slow_consumer` not to be cut.
constexpr std::size_t least_progress = 64 * 1024;
// For the answers to what a side said before it broke the protocol; the other side's close frame ends it sooner.
constexpr Duration most_for_last_words = std::chrono::milliseconds(500);

// How much is written anew before it is sent.
constexpr std::size_t frames_at_once = 64 * 1024;

ws::Extension extension(const std::optional<http::DeflateParameters>& agreed) {
  return agreed ? ws::Extension::deflate : ws::Extension::none;
}

ws::Mask new_mask(crypto::Random& random) {
  ws::Mask mask;
  random.fill(mask);
  return mask;
}

}  // namespace

std::string_view name_of(By by) {
  static constexpr std::string_view names[] = {"client", "backend", "gateway"};
  return names[static_cast<std::size_t>(by)];
}

Relay::Relay(RelayContext context, net::Waiter& waiter, Session& session, const auth::Evidence& evidence,
             ControlChannel control, net::Stream& client, net::Stream& backend, const Compression& compression)
    : context_(context),
      waiter_(waiter),
      session_(session),
      evidence_(evidence),
      control_(control),
      loop_(waiter.wake().loop()),
      client_(client, ws::Role::client, {.message_size = session.route().settings().limits.message_size.bytes},
              extension(compression.client), client_readable, loop_.now()),
      backend_(backend, ws::Role::server,
               {.message_size = session.route().settings().limits.backend_message_size.bytes},
               extension(compression.backend), backend_readable, loop_.now()),
      rate_(session.route().settings().limits.messages, loop_.now()),
      timer_(waiter.wake(), timer_due) {
  const RouteSettings& route = session.route().settings();
  client_.recoder = make_recoder(ws::Role::client, compression, route, context.scratch.deflate);
  backend_.recoder = make_recoder(ws::Role::server, compression, route, context.scratch.deflate);
}

net::Task<Ending> Relay::run(Bytes early_client, Bytes early_backend) {
  net::Wake& wake = waiter_.wake();
  client_.stream.attach(wake, client_readable, client_writable);
  backend_.stream.attach(wake, backend_readable, backend_writable);
  client_.stream.resume_reading();
  backend_.stream.resume_reading();
  session_ends_at_ = loop_.now() + session_.route().settings().max_session;
  set_expiry();
  if (control_ == ControlChannel::on) {
    std::string frame;
    ws::append_text(frame, ws::ready_notice(session_.id(), session_.identity()->subject,
                                            to_unix_seconds(session_.identity()->expires_at),
                                            session_token_ ? session_token_->reveal() : std::string_view()));
    session_token_.reset();
    send(client_, bytes_of(frame));
  }
  end_in_time();  // the backend may have taken longer than the credential holds
  for (Side* side : {&client_, &backend_}) {
    const Bytes early = is_client(*side) ? early_client : early_backend;
    if (early.empty()) continue;
    side->assembler.feed(early);
    relay_units(*side);
  }
  schedule();
  // What TLS holds already raises no event.
  wake.raise(client_readable | backend_readable);

  while (phase_ != Phase::over) {
    const std::uint32_t bits = co_await wake.next();
    if (waiter_.interruption()) begin_close(*waiter_.interruption(), By::gateway);
    if (bits & client_writable) flush(client_);
    if (bits & backend_writable) flush(backend_);
    if (bits & renewal_done) take_renewal();
    if (bits & identity_changed) follow_identity();
    // What is over is over before another message is read; whether a peer is silent is asked after, because the loop itself may be late.
    if (bits & timer_due) end_in_time();
    if (bits & client_readable) pump(client_);
    if (bits & backend_readable) pump(backend_);
    if (bits & timer_due) check_peers();
    finish_if_done();
  }
  client_.stream.finish();
  backend_.stream.finish();
  co_return ending_;
}

void Relay::pump(Side& from) {
  if (from.ended || phase_ == Phase::over) return;
  if (!relay_units(from)) return;
  std::vector<Byte>& buffer = context_.scratch.read;
  for (int reads = 0; reads < reads_per_turn; ++reads) {
    const net::IoResult result = from.stream.read(buffer);
    if (result.status == net::IoStatus::would_block) return;
    // Who says the end of its bytes behind its close frame, as browsers do in HTTP/2, has said all and still listens.
    if (result.status == net::IoStatus::end && is_client(from) && from.close_received)
      return from.stream.pause_reading();
    if (result.status != net::IoStatus::ok) return lost(from);
    from.heard = loop_.now();
    if (from.failed) continue;  // read only so that the close frame is not lost in a reset
    from.assembler.feed(Bytes(buffer).first(result.bytes));
    if (!relay_units(from)) return;
    if (result.bytes < buffer.size()) return;
  }
  waiter_.wake().raise(from.readable_bit);
}

// Hands on what the assembler has. False: not now, the rest is kept and the side is not read for a while.
bool Relay::relay_units(Side& from) {
  Side& to = other(from);
  Bytes run;                                      // consecutive units in the read buffer, for one write
  std::string& frames = context_.scratch.frames;  // or what was written anew, never both
  frames.clear();                                 // a bug may have ended another connection in the middle
  const auto send_run = [&] {
    send(to, run.empty() ? bytes_of(frames) : run);
    run = {};
    frames.clear();
  };
  for (;;) {
    if (is_heard(from) && must_wait(from)) {
      send_run();
      hold_back(from);
      return false;
    }
    const Result<ws::Unit> unit = from.assembler.next();
    if (!unit.ok()) {
      send_run();
      from.failed = true;
      begin_close(unit.error(), by(from));
      return true;
    }
    if (unit->kind == ws::Unit::Kind::need_more) break;
    const Result<Fate> fate = judge(from, *unit);
    if (!fate.ok()) {
      send_run();  // first, or it would come behind the close frame
      begin_close(fate.error(), by(from));
      continue;
    }
    if (*fate == Fate::drop) continue;
    if (*fate == Fate::rewritten) {
      send(to, std::exchange(run, {}));
      if (frames.size() >= frames_at_once) send_run();
      continue;
    }
    if (unit->in_input && !run.empty() && run.data() + run.size() == unit->wire.data()) {
      run = Bytes(run.data(), run.size() + unit->wire.size());
      continue;
    }
    send_run();
    if (unit->in_input) {
      run = unit->wire;
    } else {
      send(to, unit->wire);
    }
  }
  send_run();
  if (is_heard(from) && to.blocked()) {
    hold_back(from);
    return false;
  }
  return true;
}

Result<Relay::Fate> Relay::judge(Side& from, const ws::Unit& unit) {
  if (unit.kind == ws::Unit::Kind::close) return take_close(from, unit);
  if (!is_heard(from)) return Fate::drop;
  if (unit.kind == ws::Unit::Kind::pong && judge_pong(from, unit) == Fate::drop) return Fate::drop;
  if (!is_client(from)) {
    if (unit.kind == ws::Unit::Kind::ping) ++pongs_owed_;
  } else if (unit.kind == ws::Unit::Kind::pong && pongs_owed_ > 0) {
    --pongs_owed_;  // an answer is not a message of the client's own making
  } else if (!rate_.take(loop_.now())) {
    return Error{Reason::limit_message_rate, "more messages than the route allows"};
  }
  if (!unit.is_message()) return Fate::forward;
  return judge_message(from, unit);
}

Result<Relay::Fate> Relay::judge_message(Side& from, const ws::Unit& unit) {
  if (!is_client(from) && std::exchange(drop_greeting_, false)) return Fate::drop;
  const bool may_be_control = control_ == ControlChannel::on && unit.kind == ws::Unit::Kind::text;
  const protocol::Adapter* adapter = is_client(from) ? session_.route().adapter() : nullptr;
  const bool recoded = from.recoder && from.recoder->must_read(unit);
  Bytes content;
  std::size_t size = unit.payload_size;
  if (may_be_control || recoded || adapter) {
    std::vector<Byte>& plain = context_.scratch.plain;
    if (plain.size() < unit.payload_size) plain.resize(unit.payload_size);
    content = unit.unmask_into(plain);
    if (unit.first.compressed) {
      SALLYPORT_CHECK(from.recoder);  // or nobody could tell what it says
      TRY(content, from.recoder->inflate(unit, content));
      size = content.size();
    }
  }
  if (may_be_control) {
    if (is_client(from) ? ws::is_control_text(content) : ws::may_pass_for_notice(content)) {
      if (is_client(from)) {
        if (phase_ == Phase::open) TRY_OK(take_control(content));
      } else {
        // Only the gateway speaks on this channel: another user's text, sent on by the backend, must not pass for its word.
        context_.metrics.control_spoofed.add();
        if (!std::exchange(spoof_logged_, true))
          Event(context_.log, loop_.wall(), Level::warning, "control.spoofed").text("connection", session_.id());
      }
      return Fate::drop;
    }
  }
  if (adapter) {
    using Kind = protocol::Message::Kind;
    const Kind kind = unit.kind == ws::Unit::Kind::text ? Kind::text : Kind::binary;
    TRY_OK(adapter->read({protocol::Direction::to_backend, kind, content}, context_.scratch.workspace));
  }
  ++from.traffic.messages;
  from.traffic.bytes += size;
  Metrics::Direction& direction = is_client(from) ? context_.metrics.from_client : context_.metrics.from_backend;
  direction.messages.add();
  direction.bytes.add(size);
  if (!recoded || from.recoder->passes(unit)) return Fate::forward;
  const auto mask = is_client(from) ? std::optional(new_mask(context_.random)) : std::nullopt;
  return from.recoder->rewrite(unit, content, mask, context_.scratch.frames) ? Fate::rewritten : Fate::forward;
}

Relay::Fate Relay::judge_pong(Side& from, const ws::Unit& unit) {
  if (!from.ping_payload || unit.payload_size != from.ping_payload->size()) return Fate::forward;
  std::array<Byte, ws::max_control_payload> plain;
  const Bytes payload = unit.unmask_into(plain);
  if (!std::ranges::equal(payload, *from.ping_payload)) return Fate::forward;
  from.pinged.reset();
  from.ping_payload.reset();
  return Fate::drop;
}

Relay::Fate Relay::take_close(Side& from, const ws::Unit& unit) {
  Side& to = other(from);
  from.close_received = true;
  if (phase_ == Phase::open) {
    std::array<Byte, ws::max_control_payload> plain;
    const Result<ws::CloseInfo> info = ws::parse_close_payload(unit.unmask_into(plain));
    const std::uint16_t code = info.ok() && info->code ? *info->code : ws::close_code::no_status;
    phase_ = Phase::closing;
    ending_ = {is_client(from) ? Reason::peer_closed : Reason::upstream_closed, by(from), code, ""};
    close_deadline_ = loop_.now() + context_.limits.close_timeout;
    schedule();
  }
  if (to.close_sent || to.failed) return Fate::drop;
  to.close_sent = true;
  return Fate::forward;
}

Result<void> Relay::take_control(Bytes text) {
  TRY(ws::ControlRequest request, ws::parse_control(text));
  if (request.op != ws::ControlRequest::Op::refresh || !session_.route().settings().refresh.in_band) {
    return Error{Reason::control_malformed, "this route takes no such operation"};
  }
  renewal_.emplace(renew(*this, std::move(request.token)));
  renewal_->start();
  return {};
}

void Relay::hold_back(Side& from) {
  from.assembler.keep_rest();
  from.stream.pause_reading();
}

// The side has ended without a close frame, or cannot be written to.
void Relay::lost(Side& side) {
  if (side.ended) return;
  side.ended = true;
  side.stream.pause_reading();
  side.out.clear();
  if (is_client(side)) {
    begin_close(Error{Reason::peer_gone, "connection ended without a close frame"}, By::client);
  } else {
    begin_close(Error{Reason::upstream_closed, "backend ended the connection without a close frame"}, By::backend);
  }
}

void Relay::send(Side& to, Bytes bytes) {
  if (to.ended) return;
  while (!bytes.empty() && !to.blocked()) {
    const net::IoResult result = to.stream.write(bytes);
    if (result.status == net::IoStatus::ok) {
      bytes = bytes.subspan(result.bytes);
    } else if (result.status == net::IoStatus::would_block) {
      break;
    } else {
      return lost(to);
    }
  }
  if (bytes.empty()) return;
  const bool first = !to.blocked();
  to.out.append(text_of(bytes));
  if (!first) return;
  to.blocked_since = loop_.now();
  to.taken_since_blocked = 0;
  schedule();
}

void Relay::send_close(Side& to, std::uint16_t code, std::string_view reason) {
  if (to.close_sent || to.ended) return;
  to.close_sent = true;
  std::string frame;
  ws::append_close(frame, code, reason, is_client(to) ? std::nullopt : std::optional(new_mask(context_.random)));
  send(to, bytes_of(frame));
}

void Relay::flush(Side& to) {
  while (to.blocked() && !to.ended) {
    const net::IoResult result = to.stream.write(bytes_of(to.out).subspan(to.out_taken));
    if (result.status == net::IoStatus::would_block) return;
    if (result.status != net::IoStatus::ok) return lost(to);
    to.out_taken += result.bytes;
    to.taken_since_blocked += result.bytes;
    if (to.out_taken < to.out.size()) continue;
    std::string().swap(to.out);
    to.out_taken = 0;
  }
  Side& from = other(to);
  if (from.ended) return;
  from.stream.resume_reading();
  waiter_.wake().raise(from.readable_bit);
}

void Relay::begin_close(const Error& error, By by) {
  if (phase_ != Phase::open) {
    if (by == ending_.by) return;
    // What follows a refused message is no answer any more: the window of a compressed one behind it has a hole.
    last_words_until_ = loop_.now();
    return end_last_words();
  }
  phase_ = Phase::closing;
  const ReasonRow& why = row(error.reason);
  ending_ = {error.reason, by, why.close_code, error.detail};
  close_deadline_ = loop_.now() + context_.limits.close_timeout;
  last_words_until_ = loop_.now() + std::min<Duration>(most_for_last_words, context_.limits.close_timeout);
  // Whoever broke the protocol is told so, once it has the answers to what it said before (end_last_words); the other
  // side only that this connection is over.
  const bool backend_at_fault = by == By::backend && error.reason != Reason::upstream_closed;
  if (backend_at_fault) {
    const ReasonRow& told = row(Reason::upstream_protocol);
    ending_.code = told.close_code;
    send_close(client_, told.close_code, told.told);
    if (!backend_.failed) send_close(backend_, why.close_code, why.told);
  } else {
    if (!client_.failed) send_close(client_, why.close_code, why.told);
    send_close(backend_, error.reason == Reason::peer_gone ? ws::close_code::going_away : why.close_code, why.told);
  }
  for (Side* side : {&client_, &backend_}) {
    if (!side->ended) side->stream.resume_reading();
    waiter_.wake().raise(side->readable_bit);
  }
  schedule();
}

void Relay::end_last_words() {
  for (Side* side : {&client_, &backend_}) {
    Side& speaker = other(*side);
    if (!has_last_words(speaker)) continue;
    const bool may_go_on = !speaker.close_received && !speaker.ended && !speaker.failed;
    if (may_go_on && loop_.now() < last_words_until_) continue;
    const ReasonRow& why = row(ending_.reason);
    send_close(*side, why.close_code, why.told);
    if (speaker.ended) continue;
    speaker.stream.resume_reading();
    waiter_.wake().raise(speaker.readable_bit);
  }
}

void Relay::finish_if_done() {
  if (phase_ != Phase::closing) return;
  end_last_words();
  const bool late = loop_.now() >= close_deadline_;
  for (Side* side : {&client_, &backend_}) {
    // Who asked for the end and will get no answer from the other side gets its own code back (RFC 6455 §5.5.1).
    const bool no_answer = late || other(*side).ended || other(*side).failed;
    if (side->close_received && no_answer) send_close(*side, ending_.code, "");
  }
  for (Side* side : {&client_, &backend_}) {
    // Its answer to the close frame cannot be read any more; the end of our side of the stream asks it for the end of its own.
    if (!side->failed || !side->close_sent || side->blocked() || side->finished) continue;
    side->finished = true;
    side->stream.finish();
  }
  const bool client_done = client_.ended || (client_.close_sent && client_.close_received);
  const bool backend_done = backend_.ended || backend_.close_sent;
  const bool flushed = (client_.ended || !client_.blocked()) && (backend_.ended || !backend_.blocked());
  if ((client_done && backend_done && flushed) || late) phase_ = Phase::over;
}

net::Task<void> Relay::renew(Relay& relay, Secret token) {
  const auth::Evidence fresh{nullptr, relay.evidence_.origin, relay.evidence_.peer, token.reveal()};
  const net::Deadline deadline{relay.loop_.now() + relay.context_.limits.auth_timeout, Reason::auth_timeout};
  const std::shared_ptr<const Snapshot> current = relay.context_.current;
  const std::shared_ptr<const Route> route = current->routes.find(relay.session_.route().name());
  try {
    if (route) {
      relay.renewed_.emplace(
          co_await route->chain().renew(relay.session_.identity(), fresh, relay.context_.here, deadline));
    } else {
      relay.renewed_.emplace(Error{Reason::credential_invalid, "the route is not configured any more"});
    }
  } catch (const std::exception& bug) {
    // Nobody awaits this task, so what it throws would be lost and the client never read again.
    relay.context_.metrics.bugs.add();
    relay.renewed_.emplace(Error{Reason::internal_bug, bug.what()});
  }
  relay.waiter_.wake().raise(renewal_done);
}

void Relay::take_renewal() {
  renewal_.reset();
  Result<auth::Identity> fresh = *std::exchange(renewed_, std::nullopt);
  if (phase_ != Phase::open) return;
  std::string frame;
  if (!fresh.ok() && row(fresh.error().reason).http_status == 503) {
    // Nothing was proved wrong: the present identity holds until its own end, and the client may ask again.
    ws::append_text(frame, ws::denied_notice(fresh.error().reason, std::nullopt));
    send(client_, bytes_of(frame));
  } else if (!fresh.ok()) {
    return begin_close(fresh.error(), By::client);
  } else {
    const Result<void> still_good = session_.renew(std::move(fresh).value());
    if (!still_good.ok()) return begin_close(still_good.error(), By::gateway);
    context_.metrics.refreshed.add();
    const std::int64_t expires_at = to_unix_seconds(session_.identity()->expires_at);
    Event(context_.log, loop_.wall(), Level::info, "connection.refreshed")
        .text("connection", session_.id())
        .text("subject", session_.identity()->subject)
        .number("expires_at", expires_at);
    set_expiry();
    schedule();
    ws::append_text(frame, ws::refreshed_notice(expires_at));
    send(client_, bytes_of(frame));
  }
  client_.stream.resume_reading();
  waiter_.wake().raise(client_readable);
}

// Asking again has brought another one.
void Relay::follow_identity() {
  if (phase_ != Phase::open) return;
  set_expiry();
  schedule();
  if (control_ != ControlChannel::on) return;
  std::string frame;
  ws::append_text(frame, ws::refreshed_notice(to_unix_seconds(session_.identity()->expires_at)));
  send(client_, bytes_of(frame));
}

void Relay::set_expiry() {
  const RefreshSettings& refresh = session_.route().settings().refresh;
  const bool can_refresh = refresh.in_band && control_ == ControlChannel::on;
  const Duration left = session_.identity()->expires_at - loop_.wall();
  grace_ = can_refresh ? refresh.grace : std::chrono::seconds(0);
  // A notice as long as the credential itself would be followed by the next one at once.
  notice_ = std::min<Duration>(refresh.notice, left / 2);
  noticed_ = !can_refresh;
  follow_clock();
}

// Credentials end by the calendar, timers run without it: a clock that was set meanwhile counts from the next look on.
void Relay::follow_clock() {
  const Instant end = loop_.now() + (session_.identity()->expires_at - loop_.wall());
  expires_at_ = end + grace_;
  notice_at_ = end - notice_;
}

void Relay::end_in_time() {
  follow_clock();
  const Instant now = loop_.now();
  if (phase_ == Phase::open && now >= session_ends_at_) {
    begin_close(Error{Reason::session_expired, "the route's max_session is over"}, By::gateway);
  }
  if (phase_ == Phase::open && now >= expires_at_) {
    begin_close(Error{Reason::credential_expired, "the credential expired and was not refreshed"}, By::gateway);
  }
  if (phase_ == Phase::open && !noticed_ && now >= notice_at_) {
    noticed_ = true;
    std::string frame;
    ws::append_text(frame, ws::expiring_notice(to_unix_seconds(session_.identity()->expires_at)));
    send(client_, bytes_of(frame));
  }
}

void Relay::check_peers() {
  for (Side* side : {&client_, &backend_}) {
    check_progress(*side, loop_.now());
    check_liveness(*side, loop_.now());
  }
  schedule();
}

void Relay::check_liveness(Side& side, Instant now) {
  if (phase_ != Phase::open) return;
  const PingSettings& ping = session_.route().settings().ping;
  if (side.pinged && side.heard > *side.pinged) side.pinged.reset();
  if (side.pinged) {
    if (now < *side.pinged + ping.timeout) return;
    if (must_wait(side)) {
      // It is not being read, so it cannot be heard.
      side.pinged = now;
      return;
    }
    const Reason reason = is_client(side) ? Reason::peer_unresponsive : Reason::upstream_closed;
    return begin_close(Error{reason, "no answer to a ping"}, by(side));
  }
  if (now < side.heard + ping.every) return;
  context_.random.fill(side.ping_payload.emplace());
  std::string frame;
  ws::append_ping(frame, *side.ping_payload, is_client(side) ? std::nullopt : std::optional(new_mask(context_.random)));
  side.pinged = now;
  send(side, bytes_of(frame));
}

void Relay::check_progress(Side& side, Instant now) {
  if (!side.blocked() || now < side.blocked_since + context_.limits.slow_consumer) return;
  if (side.taken_since_blocked >= least_progress) {
    side.blocked_since = now;
    side.taken_since_blocked = 0;
    return;
  }
  const Reason reason = is_client(side) ? Reason::peer_too_slow : Reason::upstream_closed;
  begin_close(Error{reason, "did not take its messages in time"}, by(side));
  // It would not take the close frame either.
  side.ended = true;
}

void Relay::schedule() {
  Instant next = last_words_until_ > loop_.now() ? std::min(last_words_until_, close_deadline_) : close_deadline_;
  if (phase_ == Phase::open) {
    next = std::min(session_ends_at_, expires_at_);
    if (!noticed_) next = std::min(next, notice_at_);
    const PingSettings& ping = session_.route().settings().ping;
    for (const Side* side : {&client_, &backend_}) {
      next = std::min(next, side->pinged ? *side->pinged + ping.timeout : side->heard + ping.every);
    }
  }
  for (const Side* side : {&client_, &backend_}) {
    if (side->blocked() && !side->ended) next = std::min(next, side->blocked_since + context_.limits.slow_consumer);
  }
  timer_.set(next);
}

}  // namespace sallyport::gateway
