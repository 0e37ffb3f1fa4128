// A whole connection, from accept on: a client and a backend at real sockets, the rest of the gateway in between, time in our hands.
// The client has a request, mostly sound, with or without the one good token; then both may say anything, cut anywhere. It must hold:
// - no backend is dialled, and so hears anything, without the good token and an Origin that is allowed, or none beside a header;
// - what it gets first reads as one request of ours: the subject as proved, once, and the credential nowhere in it;
// - the client is told 101 only after the backend's own right 101, or with a close frame behind it where the route refuses so;
// - else it gets one whole HTTP answer, and the end;
// - then each side gets whole messages of the other, unchanged and in order, nothing behind a close frame;
// - a drain, a revocation or time ends it, and nothing is left of it.
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "sallyport/auth/opaque/opaque.h"
#include "sallyport/auth/opaque/opaque_token.h"
#include "sallyport/base/fuzzing.h"
#include "sallyport/gateway/connection.h"
#include "sallyport/gateway/testing.h"
#include "sallyport/net/turning.h"
#include "sallyport/ws/control.h"
#include "sallyport/ws/testing.h"

namespace {

using namespace sallyport;
using namespace sallyport::gateway;
using fuzzing::must;
using fuzzing::Step;
using ws::testing::Reference;

constexpr std::size_t stage_size = 8;
constexpr std::size_t message_limit = 2000;
constexpr std::size_t longest_talk = 100'000;
constexpr std::string_view origin = "https://app.example.com";

// What all runs share: a door for the backend, a store with one token, routes.
class Setting {
 public:
  Setting() : path_("/tmp/sallyport-connection-fuzz-" + std::to_string(::getpid())) {
    door = net::Fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path_.copy(address.sun_path, sizeof address.sun_path - 1);
    ::unlink(path_.c_str());
    must(::bind(door.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
    must(::listen(door.get(), 64) == 0);
    crypto::FakeRandom random(1);
    const auth::MintedToken minted = auth::mint_token(random);
    token = std::string(minted.token.reveal());
    store::TokenRow row;
    row.hash = minted.hash;
    row.id = "token-1";
    row.subject = "alice";
    row.issued_at = from_unix_seconds(1'799'999'000);
    row.expires_at = from_unix_seconds(1'800'000'600);
    net::Loop loop(clock);
    const auto store = backend.open(loop);
    must(net::testing::wait_for(loop, store->put_token(std::move(row))).ok());
  }
  ~Setting() { ::unlink(path_.c_str()); }

  std::shared_ptr<const Snapshot> snapshot(Control control, Refusal refusal) {
    RouteSettings made = testing::route_settings();
    made.upstream.url = "unix:" + path_;
    made.control = control;
    made.refusal = refusal;
    made.limits.message_size = {message_limit};
    made.limits.backend_message_size = {message_limit};
    const std::string origins[] = {std::string(origin)};
    const auth::OpaqueConfig sources{{"header", "subprotocol", "cookie:sid", "query:token"}};
    auto upstream = UpstreamPool::make(made.upstream, nullptr).value();
    auto route = std::make_shared<Route>(made, http::make_origin_policy(origins).value(),
                                         auth::Chain({auth::make_authenticator(sources, made.name).value()}),
                                         std::move(upstream), nullptr);
    return std::make_shared<Snapshot>(Snapshot{
        .settings = {}, .routes = Routes({std::move(route)}), .listener_tls = {nullptr}, .assertion = assertion_});
  }

  FakeClock clock;
  net::Fd door;
  std::string token;
  store::MemoryBackend backend;

 private:
  std::string path_;
  std::shared_ptr<const Assertion> assertion_ = Assertion::ephemeral({});
};

// One end of a socket: an HTTP head each way, then frames.
struct Peer {
  explicit Peer(ws::Role role)
      : grammar(role, message_limit),
        said(role, {.message_size = message_limit}),
        heard(role == ws::Role::client ? ws::Role::server : ws::Role::client, {.message_size = message_limit}) {}

  void say(std::string_view bytes) {
    if (talk + bytes.size() > longest_talk) return;
    talk += bytes.size();
    unsent += bytes;
  }
  // False when nothing moved.
  bool send(std::size_t most) {
    if (!fd || unsent.empty()) return false;
    const ssize_t sent = ::send(fd.get(), unsent.data(), std::min(most, unsent.size()), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent <= 0) return false;
    const std::string_view piece = std::string_view(unsent).substr(0, static_cast<std::size_t>(sent));
    if (head_said) {
      said.add(piece);
    } else {
      raw += piece;
    }
    unsent.erase(0, static_cast<std::size_t>(sent));
    return true;
  }
  bool receive() {
    if (!fd || ended || deaf) return false;
    char bytes[8192];
    const ssize_t count = ::recv(fd.get(), bytes, sizeof bytes, MSG_DONTWAIT);
    if (count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return false;
    if (count <= 0) {
      ended = true;
      return true;
    }
    const std::string_view piece(bytes, static_cast<std::size_t>(count));
    if (!in_frames) {
      head += piece;
      return true;
    }
    hear(piece);
    return true;
  }
  void hear(std::string_view frames) {
    must(frames.empty() || !heard.closed);
    heard.add(frames);
    must(!heard.error);
    must(!heard.closed || !heard.has_rest());
  }
  // The head is over, what follows are frames.
  void begin_frames(std::size_t head_size) {
    in_frames = true;
    const std::string rest = head.substr(head_size);
    head.resize(head_size);
    hear(rest);
  }

  net::Fd fd;
  ws::testing::Grammar grammar;
  Reference said;
  Reference heard;
  std::string unsent;
  std::string raw;   // said before the frames
  std::string head;  // heard before the frames
  std::size_t talk = 0;
  std::size_t matched = 0;
  bool head_said = false;  // what it says from now on are frames
  bool in_frames = false;  // what it hears from now on are frames
  bool ended = false;
  bool deaf = false;
};

class Run {
 public:
  Run(Setting& setting, const std::array<Byte, stage_size>& stage)
      : setting_(setting),
        control_(stage[0] % 3 == 0   ? Control::offered
                 : stage[0] % 3 == 1 ? Control::always
                                     : Control::never),
        refusal_(stage[1] % 2 == 0 ? Refusal::status : Refusal::close),
        shared_{clock_, log_, {}, {}, {}},
        shard_(shared_, setting.backend, setting.snapshot(control_, refusal_)),
        request_(request(stage)) {
    int ends[2];
    must(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) == 0);
    client_.fd = net::Fd(ends[0]);
    net::Fd other(ends[1]);
    if (stage[6] % 4 == 0) {
      const int small = 4608;
      ::setsockopt(other.get(), SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
    }
    accept_connection(shard_, 0, std::move(other), net::Endpoint::parse_ip("192.0.2.1", 40000).value());
  }

  bool over() { return shard_.loop().live_tasks() == 0; }

  void act(const Step& step) {
    const auto& by = step.by;
    switch (step.what % 28) {
      case 0:
      case 1:
      case 2:
      case 3:
        speak(client_, by);
        break;
      case 4:
      case 5:
      case 6:
        speak(backend_, by);
        break;
      case 7:
        patch(step.number(0), by[2], by[3]);
        break;
      case 8:
        add_field(by[0]);
        break;
      case 9:
        (by[0] % 2 == 0 ? client_ : backend_).send(step.number(1));
        break;
      case 10:
      case 11:
        answer(by[0], by[1]);
        break;
      case 12:
        pass(std::chrono::milliseconds(100 * by[0]));
        break;
      case 13:
        end(by[0] % 2 == 0 ? client_ : backend_, by[1]);
        break;
      case 14:
        order(by[0]);
        break;
      case 15:
        (by[0] % 2 == 0 ? client_ : backend_).say({reinterpret_cast<const char*>(by.data()) + 1, by[6] % 6u});
        break;
      case 16:
        (by[0] % 2 == 0 ? client_ : backend_).deaf = by[1] % 2 == 0;
        break;
      case 17:
        client_.say(testing::client_control("refresh", by[0] % 2 == 0 ? setting_.token : "spt_x"));
        break;
      case 18:
        client_.say(testing::client_close(1000));
        break;
      case 19:
        backend_.say(testing::backend_close(1000));
        break;
      default:
        send_request();
        break;
    }
    if ((step.what & 128) == 0) settle();
  }

  void finish() {
    settle();
    client_.deaf = backend_.deaf = false;
    settle();
    shared_.draining = true;
    shard_.sessions.close_all(Error{Reason::server_draining, ""});
    for (int i = 0; i < 30 && !over(); ++i) pass(std::chrono::seconds(5));
    must(over());
    settle();
    must(shard_.sessions.size() == 0);
    must(shard_.metrics.bugs.value() == 0);
    must(shard_.metrics.connections_open.value() == 0);
    must(shared_.limits.pending.count() == 0);
    const bool cut_off = client_cut_ || !client_.fd;
    if (!cut_off && !client_.in_frames && !client_.head.empty()) check_answer(client_.head);
  }

 private:
  // A call of an endpoint, with a body.
  std::string call(const std::array<Byte, stage_size>& stage) const {
    static constexpr std::string_view paths[] = {"ticket", "bind", "token", "token/revoke", "token/introspect"};
    static constexpr std::string_view types[] = {"application/json", "application/x-www-form-urlencoded", "text/plain"};
    static constexpr std::string_view bodies[] = {R"({"path":"/ws/echo","code":"x"})",
                                                  R"({"path":"/other"})",
                                                  "{}",
                                                  "{",
                                                  "grant_type=refresh_token&refresh_token=spr_x",
                                                  "a=%",
                                                  ""};
    const std::string_view body = bodies[stage[5] % std::size(bodies)];
    std::string text = "POST /.sallyport/" + std::string(paths[stage[3] % std::size(paths)]) +
                       " HTTP/1.1\r\nHost: gw.example.test\r\nOrigin: " + std::string(origin) + "\r\n";
    if (stage[4] % 2 == 0) text += "Authorization: Bearer " + setting_.token + "\r\n";
    text += "Content-Type: " + std::string(types[stage[6] % std::size(types)]) + "\r\n";
    return text + "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + std::string(body);
  }

  // A request that is sound unless `stage` has it otherwise.
  std::string request(const std::array<Byte, stage_size>& stage) const {
    if (stage[2] % 16 == 15) return call(stage);
    static constexpr std::string_view targets[] = {"/ws/echo", "/ws/echo?x=1",          "/ws/ech%6F",
                                                   "/other",   "/.sallyport/jwks.json", "/ws/echo/"};
    static constexpr std::string_view origins[] = {origin, "", "https://evil.example.com", "null",
                                                   "https://app.example.com.evil.com"};
    const std::string token = stage[4] % 8 < 6 ? setting_.token : stage[4] % 8 == 6 ? "spt_unknown" : "x";
    std::string target(targets[stage[2] % 16 < 10 ? 0 : stage[2] % std::size(targets)]);
    std::string fields;
    const std::string_view from = origins[stage[3] % 16 < 8 ? 0 : stage[3] % std::size(origins)];
    if (!from.empty()) fields += "Origin: " + std::string(from) + "\r\n";
    const Byte places = stage[5] % 16 < 10 ? Byte{1} : stage[5];
    std::string subprotocols;
    if (places & 1) fields += "Authorization: Bearer " + token + "\r\n";
    if (places & 2) fields += "Cookie: a=b; sid=" + token + "; c=d\r\n";
    if (places & 4) target += (target.find('?') == std::string::npos ? "?token=" : "&token=") + token;
    if (places & 8) subprotocols = "bearer." + token;
    if (stage[1] & 2) subprotocols += (subprotocols.empty() ? "" : ", ") + std::string("sallyport.v1");
    if (stage[1] & 4) subprotocols += (subprotocols.empty() ? "" : ", ") + std::string("chat");
    if (!subprotocols.empty()) fields += "Sec-WebSocket-Protocol: " + subprotocols + "\r\n";
    return http::testing::upgrade_text(target, fields);
  }

  void patch(std::size_t at, Byte byte, Byte how) {
    if (asked_) return;
    patched_ = true;
    at %= request_.size() + 1;
    if (how % 3 != 0 && at < request_.size()) request_.erase(at, 1 + how / 64);
    if (how % 3 != 1) request_.insert(at, 1, static_cast<char>(byte));
    if (request_.empty()) request_ = " ";
  }
  void add_field(Byte which) {
    static constexpr std::string_view fields[] = {
        "X-Sallyport-Subject: root",
        "X-Forwarded-For: 1.2.3.4",
        "Host: other",
        "Content-Length: 4",
        "Transfer-Encoding: chunked",
        "Authorization: Basic eDp5",
        "Cookie: sid=x",
        "Origin: https://app.example.com",
        "Sec-Fetch-Site: cross-site",
        "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits",
        "Connection: close, X-Sallyport-Identity",
        "X-Sallyport-Identity: a.b.c",
        "x-sallyport_subject: root",
        "Upgrade: h2c",
        "Sec-WebSocket-Protocol: chat",
        "Expect: 100-continue"};
    if (asked_) return;
    const std::size_t end = request_.find("\r\n");
    if (end != std::string::npos) request_.insert(end + 2, std::string(fields[which % std::size(fields)]) + "\r\n");
  }
  void send_request() {
    if (std::exchange(asked_, true)) {
      client_.send(std::string::npos);
      backend_.send(std::string::npos);
      return;
    }
    client_.unsent.insert(0, request_);
    client_.send(std::string::npos);
  }

  void speak(Peer& peer, const std::array<Byte, 7>& by) {
    std::string frame;
    peer.grammar.append(frame, by);
    peer.say(frame);
  }

  // What the backend says to a request that it got.
  void answer(Byte how, Byte more) {
    if (!backend_.fd || !backend_.in_frames || backend_.head_said) return;
    const auto asked =
        http::testing::read_upgrade(backend_.head, {.head_bytes = 1 << 16, .header_count = 200}, http::Scheme::http);
    must(asked.ok());
    const std::string accept = http::accept_key(asked.value->key());
    const auto& offered = asked.value->subprotocols();
    std::string text;
    switch (how % 8) {
      case 0:
        text = "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n";
        break;
      case 1:
        text =
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "
            "AAAA\r\n\r\n";
        break;
      case 2:
        text = std::string(1 + more, 'x');
        break;
      default: {
        std::string chosen;
        if (how & 8) chosen = how & 16 ? "other" : offered.empty() ? "" : offered.front();
        text =
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " +
            accept + "\r\n";
        if (!chosen.empty()) text += "Sec-WebSocket-Protocol: " + chosen + "\r\n";
        text += "\r\n";
        right_answer_ = true;
        break;
      }
    }
    const std::string frames = std::exchange(backend_.unsent, text);
    while (backend_.send(std::string::npos)) {
    }
    backend_.head_said = true;
    backend_.unsent += frames;
  }

  void end(Peer& peer, Byte how) {
    if (!peer.fd) return;
    if (&peer == &client_) client_cut_ = true;
    if (how % 2 == 0) {
      ::shutdown(peer.fd.get(), SHUT_WR);
    } else {
      peer.fd = net::Fd();
    }
  }

  void order(Byte which) {
    if (which % 3 == 0) shard_.sessions.close_all(Error{Reason::closed_by_operator, ""});
    if (which % 3 == 1) shared_.draining = true;
    if (which % 3 == 2) {
      store::Revocation revocation;
      revocation.id = ++revocations_;
      revocation.value = "alice";
      revocation.created_at = clock_.wall();
      revocation.keep_until = clock_.wall() + std::chrono::hours(1);
      shared_.revocations.add(revocation);
      shard_.sessions.close_covered(revocation, Error{Reason::credential_revoked, ""});
    }
  }

  void pass(std::chrono::milliseconds time) {
    clock_.advance(time);
    settle();
  }

  // Until nothing moves any more.
  void settle() {
    for (int quiet = 0; quiet < 3;) {
      shard_.loop().turn(Duration::zero());
      ++quiet;
      if (client_.receive()) quiet = 0;
      if (welcome()) quiet = 0;
      if (backend_.receive()) quiet = 0;
      look();
    }
  }

  bool welcome() {
    const int fd = ::accept4(setting_.door.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) return false;
    must(!std::exchange(dialled_, true));  // once for a connection
    backend_.fd = net::Fd(fd);
    must(client_.raw.find(setting_.token) != std::string::npos);
    const auto asked = http::testing::read_upgrade(client_.raw, {}, http::Scheme::http);
    must(asked.ok() && asked.value->origin().value_or(origin) == origin);
    return true;
  }

  void look() {
    if (!backend_.in_frames) look_at_request();
    if (!client_.in_frames) look_at_answer();
    if (!backend_.in_frames) return;
    arrive(backend_, client_);
    if (client_.in_frames) arrive(client_, backend_);
  }

  void look_at_request() {
    const std::size_t end = backend_.head.find("\r\n\r\n");
    if (end == std::string::npos) return;
    const std::string text = backend_.head.substr(0, end + 4);
    const auto read =
        http::testing::read_upgrade(text, {.head_bytes = 1 << 16, .header_count = 200}, http::Scheme::http);
    must(read.ok());
    must(read.value->path() == "/ws/echo");
    const http::Headers& headers = read.value->headers();
    must(headers.find_all("x-sallyport-subject") == std::vector<std::string_view>{"alice"});
    must(headers.count("x-sallyport-identity") == 1 && headers.count("x-sallyport-connection") == 1);
    must(headers.find_all("x-forwarded-for") == std::vector<std::string_view>{"192.0.2.1"});
    must(headers.count("content-length") == 0 || headers.find("content-length") == "0");
    must(headers.count("transfer-encoding") == 0 && headers.count("x_sallyport_subject") == 0);
    must(!headers.find("origin") || *headers.find("origin") == origin);
    // A patch may have put a copy where no token is looked for: under another name of the cookie or the parameter.
    must(patched_ || text.find(setting_.token) == std::string::npos);
    backend_.begin_frames(end + 4);
    // The client has been read up to the end of its head; what it sent behind it, and what it sends, are frames.
    const std::size_t head = client_.raw.find("\r\n\r\n");
    must(head != std::string::npos);
    client_.head_said = true;
    client_.said.add(client_.raw.substr(head + 4));
  }

  void look_at_answer() {
    const std::size_t end = client_.head.find("\r\n\r\n");
    if (end == std::string::npos) return;
    must(client_.head.starts_with("HTTP/1.1 "));
    if (!client_.head.starts_with("HTTP/1.1 101 ")) return;
    refused_by_frame_ = !right_answer_;
    must(right_answer_ || refusal_ == Refusal::close);
    // Nor does a subprotocol that is merely spelled like the one with a token hide what is in it.
    must(patched_ || client_.head.find(setting_.token) == std::string::npos);
    client_.begin_frames(end + 4);
  }

  // One answer, whole, and nothing behind it.
  static void check_answer(const std::string& text) {
    constexpr std::string_view go_on = "HTTP/1.1 100 Continue\r\n\r\n";
    if (text.starts_with(go_on)) return check_answer(text.substr(go_on.size()));
    const std::size_t end = text.find("\r\n\r\n");
    must(end != std::string::npos);
    if (text.starts_with("HTTP/1.1 204 ")) return must(text.size() == end + 4);
    const std::size_t at = text.find("Content-Length: ");
    must(at != std::string::npos && at < end);
    must(text.size() == end + 4 + std::strtoul(text.c_str() + at + 16, nullptr, 10));
  }

  void arrive(Peer& to, Peer& from) {
    const bool to_client = &to == &client_;
    for (const Reference::Frame& unit : to.heard.units) {
      const bool text = unit.kind == ws::Unit::Kind::text;
      const bool notice = text && ws::may_pass_for_notice(bytes_of(unit.payload));
      const bool sent = ws::testing::was_sent(from.said.units, to.matched, unit, [&](const Reference::Frame& passed) {
        return passed.kind == ws::Unit::Kind::text && control_ != Control::never &&
               ws::may_pass_for_notice(bytes_of(passed.payload));
      });
      if (sent) continue;
      if (text) must(to_client && notice && control_ != Control::never);
      must(text || unit.kind == ws::Unit::Kind::close);
      if (to_client && refused_by_frame_) must(unit.kind == ws::Unit::Kind::close);
    }
    to.heard.units.clear();
  }

  Setting& setting_;
  Control control_;
  Refusal refusal_;
  FakeClock clock_;
  testing::TextLog log_;
  Shared shared_;
  Shard shard_;
  std::string request_;
  Peer client_{ws::Role::client};
  Peer backend_{ws::Role::server};
  std::uint64_t revocations_ = 0;
  bool asked_ = false;
  bool patched_ = false;
  bool dialled_ = false;
  bool right_answer_ = false;
  bool refused_by_frame_ = false;
  bool client_cut_ = false;
};

}  // namespace

SALLYPORT_FUZZ_STEPS(stage_size)

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static Setting setting;
  fuzzing::Script<stage_size> script(data, size);
  Run run(setting, script.stage);
  for (int steps = 0; steps < 200 && !script.done() && !run.over(); ++steps) run.act(script.next());
  run.finish();
  return 0;
}
