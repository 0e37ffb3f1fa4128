#pragma once

#include <array>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sallyport/auth/authenticator.h"
#include "sallyport/gateway/plugs.h"
#include "sallyport/gateway/relay.h"
#include "sallyport/gateway/route.h"
#include "sallyport/gateway/sessions.h"
#include "sallyport/http/testing.h"
#include "sallyport/net/scripted_stream.h"
#include "sallyport/store/memory/memory_backend.h"
#include "sallyport/ws/compose.h"
#include "sallyport/ws/frame.h"

/// Identities, routes and a whole relay between two scripts, for the tests of this folder and of those above it.
namespace sallyport::gateway::testing {

/// An identity of `subject` that ends `lifetime` after `now`; `change` may fill in more.
inline auth::Proven proven(std::string subject, WallTime now,
                           std::chrono::seconds lifetime = std::chrono::minutes(10)) {
  auth::Proven proven;
  proven.mechanism = "scripted";
  proven.subject = std::move(subject);
  proven.issuer = "https://id.example.com";
  proven.issued_at = now;
  proven.expires_at = now + lifetime;
  return proven;
}
inline auth::Identity identity(auth::Proven proven) { return auth::Verdict::accept(std::move(proven)).take().value(); }

/// Judges a token by what it says itself: `good SUBJECT SECONDS`, `down`, `late`, `bug`, or `wait` for as long as the test wants.
class ScriptedAuthenticator final : public auth::Authenticator {
 public:
  std::string_view mechanism() const override { return "scripted"; }
  net::Task<auth::Verdict> authenticate(const auth::Evidence& evidence, auth::Here& here,
                                        net::Deadline) const override {
    if (!evidence.in_band) co_return auth::Verdict::not_mine();
    std::string token(*evidence.in_band);
    if (token == "wait") {
      net::Wake wake(here.loop);
      waiting = &wake;
      co_await wake.next();
      waiting = nullptr;
      token = answer;
    }
    if (token == "down") co_return auth::Verdict::refuse(Error{Reason::keys_unavailable, "no keys"});
    if (token == "late") co_return auth::Verdict::refuse(Error{Reason::auth_timeout, "no answer"});
    SALLYPORT_CHECK(token != "bug");
    if (!token.starts_with("good.")) co_return auth::Verdict::refuse(Error{Reason::credential_invalid, "not a token"});
    const std::size_t second_dot = token.find('.', 5);
    const std::chrono::seconds lifetime(std::stoi(token.substr(second_dot + 1)));
    co_return auth::Verdict::accept(proven(token.substr(5, second_dot - 5), here.loop.wall(), lifetime));
  }
  void add_to(http::Strip&) const override {}

  mutable net::Wake* waiting = nullptr;
  std::string answer = "down";
};

inline RouteSettings route_settings(std::string name = "chat") {
  RouteSettings settings;
  settings.name = std::move(name);
  settings.match.host = "gw.example.test";
  settings.match.path = "/ws/echo";
  settings.upstream.url = "unix:/nobody/listens/here";
  // Nothing happens by itself in a test that does not ask for it.
  settings.ping.every = std::chrono::hours(24 * 20);
  settings.refresh.notice = std::chrono::seconds(30);
  settings.limits.messages = {1'000'000, std::chrono::seconds(1)};
  return settings;
}

inline std::shared_ptr<const Route> make_route(
    RouteSettings settings, std::vector<std::shared_ptr<const auth::Authenticator>> authenticators = {}) {
  auto upstream = UpstreamPool::make(settings.upstream, nullptr).value();
  auto adapter = settings.messages ? make_adapter(*settings.messages) : nullptr;
  return std::make_shared<Route>(std::move(settings), http::OriginPolicy(), auth::Chain(std::move(authenticators)),
                                 std::move(upstream), std::move(adapter));
}

/// A frame as a peer of role `from` sends it.
inline std::string frame(ws::Role from, ws::Opcode opcode, std::string_view payload, bool fin = true) {
  std::string out;
  const ws::Mask mask{0x37, 0xfa, 0x21, 0x3d};
  ws::append_frame(out, opcode, bytes_of(payload), from == ws::Role::client ? std::optional(mask) : std::nullopt);
  if (!fin) out[0] = static_cast<char>(out[0] & 0x7f);
  return out;
}
inline std::string client_text(std::string_view text) { return frame(ws::Role::client, ws::Opcode::text, text); }
inline std::string backend_text(std::string_view text) { return frame(ws::Role::server, ws::Opcode::text, text); }
inline std::string close_payload(std::uint16_t code, std::string_view reason = "") {
  std::string payload{static_cast<char>(code >> 8), static_cast<char>(code & 0xff)};
  return payload.append(reason);
}
inline std::string client_close(std::uint16_t code) {
  return frame(ws::Role::client, ws::Opcode::close, close_payload(code));
}
inline std::string backend_close(std::uint16_t code) {
  return frame(ws::Role::server, ws::Opcode::close, close_payload(code));
}
inline std::string client_control(std::string_view op, std::string_view token) {
  return client_text("{\"$sallyport\":{\"op\":\"" + std::string(op) + "\",\"token\":\"" + std::string(token) + "\"}}");
}

/// A frame that was written to a peer.
struct Written {
  ws::Opcode opcode;
  std::string payload;
  bool compressed = false;
  /// Of a close frame; 1005 when it has none.
  std::uint16_t code() const {
    if (payload.size() < 2) return 1005;
    return static_cast<std::uint16_t>(static_cast<Byte>(payload[0]) << 8 | static_cast<Byte>(payload[1]));
  }
  bool operator==(const Written&) const = default;
};

/// What `bytes`, sent by a peer of role `from`, holds. Anything but whole frames is a bug.
inline std::vector<Written> frames_in(std::string_view bytes, ws::Role from) {
  std::vector<Written> frames;
  while (!bytes.empty()) {
    const auto header = ws::parse_header(bytes_of(bytes), from, ws::Extension::deflate).value();
    SALLYPORT_CHECK(header.has_value());
    bytes.remove_prefix(header->header_length);
    SALLYPORT_CHECK(bytes.size() >= header->payload_length);
    std::string payload(bytes.substr(0, header->payload_length));
    ws::unmask(bytes_of(payload), MutableBytes(reinterpret_cast<Byte*>(payload.data()), payload.size()), header->mask);
    frames.push_back({header->opcode, std::move(payload), header->compressed});
    bytes.remove_prefix(header->payload_length);
  }
  return frames;
}

/// Keeps its lines.
class TextLog final : public Log {
 public:
  void write(std::string_view line) override { text += line; }
  std::string text;
};

/// One admitted connection and its relay; time stands still, and the loop is turned by hand.
class RelayScene {
 public:
  using Channel = Relay::ControlChannel;
  explicit RelayScene(RouteSettings settings = route_settings(), Channel channel = Channel::off,
                      std::chrono::seconds lifetime = std::chrono::hours(24 * 30))
      : route(make_route(std::move(settings), {authenticator})), channel_(channel) {
    auto admitted = sessions.admit("connection-1", identity(proven("alice", clock.wall(), lifetime)), route,
                                   "192.0.2.1", clock.wall(), waiter, {});
    session = std::move(admitted).value();
    limits.slow_consumer = std::chrono::seconds(30);
  }
  RelayScene(const RelayScene&) = delete;
  RelayScene& operator=(const RelayScene&) = delete;

  /// With other streams than the two scripts: for as long as the scene.
  void start(net::Stream& client_stream, net::Stream& backend_stream, std::string early_client = {},
             std::string early_backend = {}) {
    relay.emplace(RelayContext{scratch, metrics, log, random, here_, limits, snapshot}, waiter, *session, evidence_,
                  channel_, client_stream, backend_stream, compression);
    early_client_ = std::move(early_client);
    early_backend_ = std::move(early_backend);
    loop.spawn(run(*this));
    turn();
  }
  void start() { start(client, backend); }

  /// Turns the loop until nothing moves any more.
  void turn() {
    for (int quiet = 0; quiet < 2;) {
      const std::size_t before = client.operations() + backend.operations();
      loop.turn(Duration::zero());
      quiet = before == client.operations() + backend.operations() ? quiet + 1 : 0;
    }
  }
  void pass(Duration time) {
    clock.advance(time);
    turn();
  }
  void from_client(std::string_view bytes) {
    client.yield(bytes);
    turn();
  }
  void from_backend(std::string_view bytes) {
    backend.yield(bytes);
    turn();
  }
  /// What was written since the last call.
  std::vector<Written> to_client() { return frames_in(client.take_written(), ws::Role::server); }
  std::vector<Written> to_backend() { return frames_in(backend.take_written(), ws::Role::client); }

  FakeClock clock;
  net::Loop loop{clock};
  TextLog log;
  crypto::FakeRandom random;
  Metrics metrics;
  Scratch scratch;
  GatewayLimits limits;
  SharedLimits shared_limits;
  Revocations revocations;
  Sessions sessions{revocations, shared_limits};
  std::shared_ptr<ScriptedAuthenticator> authenticator = std::make_shared<ScriptedAuthenticator>();
  std::shared_ptr<const Route> route;
  /// What both sides have agreed to, before start().
  Compression compression;
  std::shared_ptr<const Snapshot> snapshot =
      std::make_shared<Snapshot>(Snapshot{{}, Routes({route}), {}, {}, {}, {}, {}});
  net::Waiter waiter{loop};
  net::ScriptedStream client;
  net::ScriptedStream backend;
  std::unique_ptr<Session> session;
  std::optional<Relay> relay;
  std::optional<Ending> ending;

 private:
  static net::Task<void> run(RelayScene& scene) {
    scene.ending = co_await scene.relay->run(bytes_of(scene.early_client_), bytes_of(scene.early_backend_));
  }

  Channel channel_;
  store::MemoryBackend store_backend_;
  std::unique_ptr<store::Store> store_ = store_backend_.open(loop);
  net::HttpClient http_{loop};
  crypto::FakeRandom auth_random_;
  auth::Here here_{loop, *store_, http_, auth_random_};
  auth::Peer peer_{};
  auth::Evidence evidence_{nullptr, http::OriginProof::absent, peer_};
  std::string early_client_;
  std::string early_backend_;

 public:
  // Last, so that what still runs is gone before what it uses.
  ~RelayScene() { loop.cancel_tasks(); }
};

}  // namespace sallyport::gateway::testing
