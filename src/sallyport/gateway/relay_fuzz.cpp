// A whole relay between two scripted peers: frames of either side, sound and broken, cut anywhere, with time passing, sides that take
// nothing, ends and resets, orders to close and renewals. Two plain readings of what each side sent and was sent are the judges:
// - what reaches a side is whole, sound frames with nothing behind a close frame;
// - each message in it is one that the other side sent, whole, unchanged, in order; none that was refused; no word on the control
//   channel but the gateway's; when nothing stands in the way, none is missing;
// - a close frame goes to each side that can still take one, with a code that one of the causes so far explains;
// - what is held is bounded by a read and a message, and all of it is given back;
// - the relay ends when a side is gone, when it was told to, when the credential is over.
#include <sanitizer/allocator_interface.h>

#include <set>

#include "sallyport/base/fuzzing.h"
#include "sallyport/gateway/testing.h"
#include "sallyport/ws/close.h"
#include "sallyport/ws/control.h"
#include "sallyport/ws/testing.h"

namespace {

using namespace sallyport;
using namespace sallyport::gateway;
using namespace sallyport::gateway::testing;
using fuzzing::must;
using fuzzing::Step;
using ws::testing::Reference;

constexpr std::size_t stage_size = 8;
constexpr std::size_t longest_talk = 600'000;

// How a run is set up.
struct Stage {
  explicit Stage(const std::array<Byte, stage_size>& bytes)
      : control((bytes[0] & 1) != 0),
        in_band((bytes[0] & 2) == 0),
        slow_client((bytes[0] & 4) != 0),
        slow_backend((bytes[0] & 8) != 0),
        rated((bytes[0] & 16) != 0),
        pings((bytes[0] & 32) != 0),
        large((bytes[0] & 192) == 192),
        early(bytes[1] % 4),
        client_reads(cut(bytes[2])),
        backend_reads(cut(bytes[3])),
        client_writes(cut(bytes[4])),
        backend_writes(cut(bytes[5])),
        client_room(bytes[6]),
        backend_room(bytes[7]) {}
  static std::size_t cut(Byte byte) { return byte < 128 ? net::ScriptedStream::unlimited : byte - 127u; }

  RouteSettings route() const {
    RouteSettings made = route_settings();
    made.limits.message_size = {message_size()};
    made.limits.backend_message_size = {message_size()};
    if (rated) made.limits.messages = {8, std::chrono::seconds(1)};
    if (pings) made.ping = {std::chrono::seconds(5), std::chrono::seconds(5)};
    made.refresh.in_band = in_band;
    return made;
  }
  std::size_t message_size() const { return large ? 66'000 : 2000; }

  bool control, in_band, slow_client, slow_backend, rated, pings, large;
  std::size_t early, client_reads, backend_reads, client_writes, backend_writes, client_room, backend_room;
};

// A peer and what it has seen of the gateway.
struct Peer {
  Peer(net::ScriptedStream& its_stream, ws::Role role, std::size_t limit)
      : stream(its_stream),
        grammar(role, limit),
        said(role, {.message_size = limit}),
        heard(role == ws::Role::client ? ws::Role::server : ws::Role::client, {.message_size = limit}) {}

  void say(std::string_view bytes) {
    if (talk + bytes.size() > longest_talk) return;
    talk += bytes.size();
    unsent += bytes;
  }
  // Hands the first `most` bytes to the stream.
  std::string take(std::size_t most) {
    std::string piece = unsent.substr(0, most);
    unsent.erase(0, piece.size());
    said.add(piece);
    return piece;
  }

  net::ScriptedStream& stream;
  ws::testing::Grammar grammar;
  Reference said;   // what it has sent
  Reference heard;  // what it was sent
  std::string unsent;
  std::size_t talk = 0;
  std::size_t matched = 0;          // of the other side's units, those that have arrived or will not
  std::optional<std::string> ping;  // the last that it has not answered
  std::optional<std::uint16_t> close_code;
  bool close_forwarded = false;
  bool broken = false;  // its stream has ended or will fail
};

class Run {
 public:
  explicit Run(const Stage& stage)
      : stage_(stage),
        scene_(stage.route(), stage.control ? RelayScene::Channel::on : RelayScene::Channel::off, lifetime),
        client_(scene_.client, ws::Role::client, stage.message_size()),
        backend_(scene_.backend, ws::Role::server, stage.message_size()) {
    scene_.client.split_reads(stage.client_reads).split_writes(stage.client_writes);
    scene_.backend.split_reads(stage.backend_reads).split_writes(stage.backend_writes);
    if (stage.slow_client) scene_.client.limit_room(stage.client_room);
    if (stage.slow_backend) scene_.backend.limit_room(stage.backend_room);
    scene_.scratch.read.resize(4096);
  }

  bool over() const { return scene_.ending.has_value(); }
  void start() {
    scene_.start(scene_.client, scene_.backend, client_.take(std::string::npos), backend_.take(std::string::npos));
    held_at_start_ = __sanitizer_get_current_allocated_bytes() - own_memory();
    look();
  }

  void speak(const Step& step) {
    const std::size_t kind = step.what % 32;
    if (kind < 9) {
      std::string frame;
      client_.grammar.append(frame, step.by);
      client_.say(frame);
    } else if (kind < 15) {
      std::string frame;
      backend_.grammar.append(frame, step.by);
      backend_.say(frame);
    } else if (kind < 17) {
      (kind == 15 ? client_ : backend_).say({reinterpret_cast<const char*>(step.by.data()), step.by[6] % 7u});
    } else if (kind < 20) {
      answer(kind == 19 ? backend_ : client_, step.by[0]);
    }
  }

  void act(const Step& step) {
    speak(step);
    switch (step.what % 32) {
      case 20:
      case 21:
        deliver(client_, step.number(0));
        break;
      case 22:
        deliver(backend_, step.number(0));
        break;
      case 23:
        pass(std::chrono::milliseconds(100 * step.by[0]));
        break;
      case 24:
        pass(std::chrono::milliseconds(step.number(0)));
        break;
      case 25:
        if (stage_.slow_client) scene_.client.make_room(step.number(0));
        break;
      case 26:
        if (stage_.slow_backend) scene_.backend.make_room(step.number(0));
        break;
      case 27:
        cut((step.by[0] & 1) != 0 ? client_ : backend_, step.by[0] >> 1, step.by[1]);
        break;
      case 28:
        order(step.by[0]);
        break;
      case 29:
        scene_.authenticator->answer = step.by[0] % 2 == 0 ? "good.alice.30" : "down";
        if (scene_.authenticator->waiting) scene_.authenticator->waiting->raise(1);
        break;
      default:
        break;
    }
    if ((step.what & 128) != 0) return;  // several things in one turn
    deliver(client_, std::string::npos);
    deliver(backend_, std::string::npos);
    scene_.turn();
    look();
  }

  // Nobody says anything more: the time that every stage may take, and it is over.
  void finish() {
    for (int i = 0; i < 30 && !over(); ++i) pass(std::chrono::seconds(5));
    must(over());
    look();
    must(scene_.client.finished() && scene_.backend.finished());
    const Ending& ending = *scene_.ending;
    for (Peer* peer : {&client_, &backend_}) {
      const bool slow = peer == &client_ ? stage_.slow_client : stage_.slow_backend;
      if (!peer->broken && !slow) must(peer->heard.closed && !peer->heard.has_rest());
    }
    if (client_.close_code && ending.reason != Reason::peer_closed) must(*client_.close_code == ending.code);
    const Metrics& metrics = scene_.metrics;
    must(metrics.bugs.value() == 0);
    must(metrics.from_client.messages.value() == scene_.relay->from_client().messages);
    must(metrics.from_backend.messages.value() == scene_.relay->from_backend().messages);
  }

 private:
  static constexpr std::chrono::seconds lifetime{40};

  Instant now() const { return scene_.clock.now(); }
  Peer& other(Peer& peer) { return &peer == &client_ ? backend_ : client_; }

  void deliver(Peer& peer, std::size_t most) { peer.stream.yield(peer.take(most)); }

  // What a peer that listens says next.
  void answer(Peer& peer, Byte how) {
    const ws::Role role = &peer == &client_ ? ws::Role::client : ws::Role::server;
    if (peer.close_code && how % 4 != 0) {
      peer.say(frame(role, ws::Opcode::close, *peer.close_code == 1005 ? "" : close_payload(*peer.close_code)));
    } else if (peer.ping) {
      peer.say(frame(role, ws::Opcode::pong, *std::exchange(peer.ping, std::nullopt)));
    }
  }

  void cut(Peer& peer, unsigned how, Byte after) {
    peer.broken = true;
    explain(Reason::peer_gone);
    explain(Reason::upstream_closed);
    if (how % 3 == 0) peer.stream.end();
    if (how % 3 == 1) peer.stream.fail();
    if (how % 3 == 2) peer.stream.fail_at(peer.stream.operations() + 1 + after % 8);
  }

  void order(Byte which) {
    static constexpr Reason reasons[] = {Reason::credential_revoked, Reason::server_draining,
                                         Reason::closed_by_operator};
    const Reason reason = reasons[which % std::size(reasons)];
    scene_.session->close(Error{reason, ""});
    explain(reason);
    ordered_ = true;
  }

  void pass(std::chrono::milliseconds time) {
    if (time.count() == 0) return;
    explain(Reason::credential_expired);
    explain(Reason::peer_unresponsive);
    explain(Reason::peer_too_slow);
    explain(Reason::upstream_closed);
    scene_.pass(time);
    look();
  }

  void explain(Reason reason) { codes_.insert(row(reason).close_code); }

  void explain_words() {
    for (Peer* peer : {&client_, &backend_}) {
      if (!peer->said.error) continue;
      explain(*peer->said.error);
      if (peer == &backend_) explain(Reason::upstream_protocol);
    }
    if (stage_.rated) explain(Reason::limit_message_rate);
    if (stage_.control) {
      for (const Reason reason :
           {Reason::control_malformed, Reason::credential_invalid, Reason::credential_other_subject})
        explain(reason);
    }
    codes_.insert(ws::close_code::going_away);  // what a backend is told of a client that is gone
    for (const Peer* peer : {&client_, &backend_}) {
      for (const Reference::Frame& unit : peer->said.units) {
        if (unit.kind == ws::Unit::Kind::close) codes_.insert(code_of(unit));
      }
    }
  }

  static std::uint16_t code_of(const Reference::Frame& close) {
    return Written{ws::Opcode::close, close.payload}.code();
  }

  void look() {
    explain_words();
    for (Peer* peer : {&client_, &backend_}) hear(*peer);
    check_settled();
    check_held();
    if (over()) return;
    // A close frame on its way is answered or given up in time; a credential that is over is the end, and so is an order.
    const RefreshSettings& refresh = scene_.route->settings().refresh;
    const bool expired = scene_.session->identity()->expires_at + refresh.grace <= scene_.clock.wall();
    const bool must_end = ordered_ || expired || client_.heard.closed || backend_.heard.closed;
    if (must_end && !ending_since_) ending_since_ = now();
    if (ending_since_) must(now() < *ending_since_ + scene_.limits.close_timeout);
  }

  void hear(Peer& to) {
    const std::string bytes = to.stream.take_written();
    must(bytes.empty() || !to.heard.closed);
    to.heard.add(bytes);
    must(!to.heard.error);
    must(!to.heard.closed || !to.heard.has_rest());
    for (const Reference::Frame& unit : to.heard.units) hear(to, unit);
    to.heard.units.clear();
  }

  void hear(Peer& to, const Reference::Frame& unit) {
    const bool to_client = &to == &client_;
    const bool was_sent =
        ws::testing::was_sent(other(to).said.units, to.matched, unit,
                              [&](const Reference::Frame& passed) { return may_be_kept(to, passed); });
    const bool text = unit.kind == ws::Unit::Kind::text;
    const bool notice = text && ws::may_pass_for_notice(bytes_of(unit.payload));
    if (unit.kind == ws::Unit::Kind::ping) to.ping = unit.payload;
    if (unit.kind == ws::Unit::Kind::close) {
      to.close_code = code_of(unit);
      to.close_forwarded = was_sent;
      must(was_sent || codes_.contains(*to.close_code));
    }
    if (stage_.control && text) {
      // Whatever looks like the gateway's word is the gateway's, and a word to the gateway goes no further.
      must(to_client ? was_sent != notice : !ws::is_control_text(bytes_of(unit.payload)));
    }
    if (was_sent) return;
    must(!unit.fragmented);
    if (unit.kind == ws::Unit::Kind::ping) {
      must(stage_.pings && unit.payload.size() == 8);
    } else if (text) {
      must(to_client && stage_.control && notice);
    } else {
      must(unit.kind == ws::Unit::Kind::close);
    }
  }

  bool may_be_kept(const Peer& to, const Reference::Frame& unit) const {
    if (unit.kind == ws::Unit::Kind::pong) return stage_.pings && unit.payload.size() == 8;
    if (!stage_.control || unit.kind != ws::Unit::Kind::text) return false;
    return &to == &client_ ? ws::may_pass_for_notice(bytes_of(unit.payload))
                           : ws::is_control_text(bytes_of(unit.payload));
  }

  // When nothing is in the way, all that was said has arrived, and all that is wrong has had its answer.
  void check_settled() {
    if (over() || ordered_ || stage_.slow_client || stage_.slow_backend) return;
    if (client_.broken || backend_.broken || scene_.authenticator->waiting) return;
    if (!scene_.client.exhausted() || !scene_.backend.exhausted()) return;
    const bool closed = client_.heard.closed || backend_.heard.closed;
    for (Peer* peer : {&client_, &backend_}) {
      const bool ended = peer->said.error || peer->said.closed;
      if (!closed) must(!ended);
      if (closed) continue;
      Peer& to = other(*peer);
      for (std::size_t at = to.matched; at < peer->said.units.size(); ++at) must(may_be_kept(to, peer->said.units[at]));
    }
  }

  std::size_t own_memory() const {
    std::size_t sum = scene_.client.memory() + scene_.backend.memory() + scene_.log.text.capacity();
    for (const Peer* peer : {&client_, &backend_})
      sum += peer->said.memory() + peer->heard.memory() + peer->unsent.capacity();
    return sum;
  }

  // A side's bytes are held where they are put together, where they wait to be read on and where they wait to be taken.
  void check_held() const {
    const std::size_t held = __sanitizer_get_current_allocated_bytes() - own_memory();
    const std::size_t read = scene_.scratch.read.size();
    const std::size_t most = 2 * (2 * stage_.message_size() + 2 * read + 2 * (read + stage_.message_size())) +
                             scene_.scratch.plain.capacity() + 16'384;
    must(held <= held_at_start_ + most);
  }

  Stage stage_;
  RelayScene scene_;
  Peer client_;
  Peer backend_;
  std::set<std::uint16_t> codes_;  // that a close frame of the gateway may have
  std::size_t held_at_start_ = 0;
  std::optional<Instant> ending_since_;
  bool ordered_ = false;
};

}  // namespace

SALLYPORT_FUZZ_STEPS(stage_size)

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzzing::Script<stage_size> script(data, size);
  const Stage stage(script.stage);
  Run run(stage);
  for (std::size_t left = stage.early; left > 0 && !script.done(); --left) run.speak(script.next());
  run.start();
  for (int steps = 0; steps < 400 && !script.done() && !run.over(); ++steps) run.act(script.next());
  run.finish();
  return 0;
}
