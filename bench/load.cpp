// What does a proxy spend on a message, a handshake, an idle connection? Makes that load over TLS or plain, checks
// every byte that comes back, and reads the CPU time of the processes it is told to watch exactly at the start and the
// end of the measured time. usage: bench_load messages|handshakes|idle --port N [options]; see usage() below. Prints
// one line of JSON.
#include <arpa/inet.h>
#include <dirent.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "handshake.h"
#include "sallyport/ws/assembler.h"
#include "sallyport/ws/compose.h"

namespace {

using namespace sallyport;
using Clock = std::chrono::steady_clock;

enum class Mode { messages, handshakes, idle };

struct Options {
  Mode mode = Mode::messages;
  std::string address = "127.0.0.1";
  int port = 0;
  bool tls = true;
  std::string host = "bench.example.com";
  std::string path = "/ws";
  std::string origin;
  std::string token;
  std::size_t connections = 64;
  std::size_t in_flight = 1;
  std::size_t size = 512;
  double warmup = 0.5;
  double seconds = 3;
  std::uint64_t count = 0;
  std::string status = "101";
  bool resume = false;
  std::vector<int> watch;
};

[[noreturn]] void usage() {
  std::fputs(
      "usage: bench_load messages|handshakes|idle --port N\n"
      "  --plain                 no TLS                     --address IP   127.0.0.1\n"
      "  --host NAME --path P --origin O --token-file F     what the upgrade says\n"
      "  --connections N         64; for handshakes: how many at a time\n"
      "  --in-flight N           messages under way on each connection (1)\n"
      "  --size BYTES            payload of a message (512, at least 64)\n"
      "  --warmup S --seconds S  not measured, measured (0.5, 3)\n"
      "  --count N               exactly so many messages or handshakes instead of a time\n"
      "  --status CODE           handshakes: the answer that each upgrade must get (101)\n"
      "  --resume                handshakes: each but the first resumes the TLS session before it\n"
      "  --watch PID             add this process's CPU time to the result; may be repeated\n"
      "idle opens all connections, echoes one message on each, prints the line and holds them until standard input "
      "closes.\n",
      stderr);
  std::exit(2);
}

[[noreturn]] void die(const std::string& why) {
  std::fprintf(stderr, "bench_load: %s\n", why.c_str());
  std::exit(1);
}

/// CPU time that all threads of `pids` have had, in nanoseconds.
std::uint64_t cpu_ns(const std::vector<int>& pids) {
  std::uint64_t sum = 0;
  for (const int pid : pids) {
    const std::string tasks = "/proc/" + std::to_string(pid) + "/task";
    DIR* folder = opendir(tasks.c_str());
    if (folder == nullptr) die("process " + std::to_string(pid) + " is gone");
    while (const dirent* entry = readdir(folder)) {
      if (entry->d_name[0] == '.') continue;
      std::uint64_t ns = 0;
      if (std::ifstream(tasks + "/" + entry->d_name + "/schedstat") >> ns) sum += ns;
    }
    closedir(folder);
  }
  return sum;
}

constexpr std::string_view sequence_key = "{\"type\":\"chat.send\",\"seq\":\"";
constexpr std::size_t sequence_digits = 16;

class Load;

class Connection {
 public:
  Connection(Load& load, std::size_t index) : load_(load), index_(index) {}
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  ~Connection() { drop(); }

  void start();
  void on_event(std::uint32_t events);
  void send_message();
  bool open() const { return state_ == State::open; }

 private:
  enum class State { unused, connecting, handshaking, upgrading, open, closing };

  void drop();
  void advance();
  void handshake();
  void send_upgrade();
  void read_upgrade();
  void on_frames(Bytes input);
  void finish();
  void flush();
  void want(std::uint32_t events);
  /// Bytes read, 0 at the end, -1 when there are none now.
  long read_some(MutableBytes into);
  long write_some(Bytes from);

  Load& load_;
  std::size_t index_;
  State state_ = State::unused;
  int fd_ = -1;
  SSL* ssl_ = nullptr;
  std::uint32_t wanted_ = 0;
  std::string head_;
  std::string out_;
  std::unique_ptr<ws::Assembler> frames_;
  std::uint64_t next_sequence_ = 0;
  std::uint64_t expected_sequence_ = 0;
  std::vector<Clock::time_point> sent_at_;
};

class Load {
 public:
  explicit Load(Options options);
  ~Load() {
    SSL_SESSION_free(session);
    SSL_CTX_free(context_);
  }
  int run();

  void opened(Connection& connection);
  void echoed(Connection& connection, Clock::duration latency);
  void handshaken(Connection& connection);
  std::string_view message(std::uint64_t sequence);
  ws::Mask mask();

  const Options options;
  const std::string request;
  const std::string accept;
  std::vector<Byte> read_buffer = std::vector<Byte>(256 * 1024);
  std::vector<Byte> scratch;
  int epoll = -1;
  SSL_CTX* context() const { return context_; }
  /// The newest session a server gave, for --resume.
  SSL_SESSION* session = nullptr;

 private:
  void start_next();
  void turn();
  void report(double seconds, std::uint64_t cpu);
  /// Counts one more message or handshake as begun; false when --count asks for no more.
  bool begin();

  SSL_CTX* context_ = nullptr;
  std::string payload_;
  std::mt19937 random_{std::random_device{}()};
  std::vector<std::unique_ptr<Connection>> connections_;
  std::size_t started_ = 0;
  std::size_t open_ = 0;
  bool running_ = false;
  bool measuring_ = false;
  std::uint64_t begun_ = 0;
  std::uint64_t done_ = 0;
  std::vector<std::uint32_t> latencies_;
};

void Connection::drop() {
  if (ssl_ != nullptr) {
    SSL_set_shutdown(ssl_, SSL_SENT_SHUTDOWN);  // or its session counts as broken and is never resumed
    SSL_free(ssl_);
  }
  ssl_ = nullptr;
  if (fd_ >= 0) close(fd_);
  fd_ = -1;
}

void Connection::start() {
  drop();
  state_ = State::connecting;
  head_.clear();
  out_.clear();
  frames_ = std::make_unique<ws::Assembler>(ws::Role::server, ws::Assembler::Limits{.message_size = 16 << 20});
  fd_ = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd_ < 0) die(std::string("socket: ") + std::strerror(errno));
  const int on = 1;
  setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(load_.options.port));
  inet_pton(AF_INET, load_.options.address.c_str(), &address.sin_addr);
  if (connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0 && errno != EINPROGRESS) {
    die(std::string("connect: ") + std::strerror(errno));
  }
  epoll_event event{.events = EPOLLOUT, .data = {.ptr = this}};
  epoll_ctl(load_.epoll, EPOLL_CTL_ADD, fd_, &event);
  wanted_ = EPOLLOUT;
}

void Connection::want(std::uint32_t events) {
  if (events == wanted_) return;
  wanted_ = events;
  epoll_event event{.events = events, .data = {.ptr = this}};
  epoll_ctl(load_.epoll, EPOLL_CTL_MOD, fd_, &event);
}

void Connection::on_event(std::uint32_t events) {
  if (state_ == State::connecting) {
    int error = 0;
    socklen_t size = sizeof(error);
    getsockopt(fd_, SOL_SOCKET, SO_ERROR, &error, &size);
    if (error != 0) die(std::string("connect: ") + std::strerror(error));
    if (load_.options.tls) {
      state_ = State::handshaking;
      ssl_ = SSL_new(load_.context());
      SSL_set_fd(ssl_, fd_);
      SSL_set_tlsext_host_name(ssl_, load_.options.host.c_str());
      SSL_set_connect_state(ssl_);
      if (load_.session != nullptr) SSL_set_session(ssl_, load_.session);
    } else {
      send_upgrade();
    }
  }
  if (state_ == State::handshaking) return handshake();
  if ((events & EPOLLOUT) != 0) flush();
  if ((events & ~static_cast<std::uint32_t>(EPOLLOUT)) != 0) advance();
}

void Connection::handshake() {
  const int result = SSL_do_handshake(ssl_);
  if (result == 1) {
    if (load_.session != nullptr && SSL_session_reused(ssl_) == 0) die("the TLS session was not resumed");
    return send_upgrade();
  }
  switch (SSL_get_error(ssl_, result)) {
    case SSL_ERROR_WANT_READ:
      return want(EPOLLIN);
    case SSL_ERROR_WANT_WRITE:
      return want(EPOLLOUT);
    default:
      die("TLS handshake failed");
  }
}

void Connection::send_upgrade() {
  state_ = State::upgrading;
  out_ = load_.request;
  want(EPOLLIN);
  flush();
}

void Connection::advance() {
  for (;;) {
    const long got = read_some(load_.read_buffer);
    if (got < 0) return;
    if (got == 0) {
      if (state_ == State::closing) return finish();
      die(state_ == State::upgrading ? "connection closed before the answer: " + head_
                                     : "connection closed while in use");
    }
    const Bytes input = Bytes(load_.read_buffer).first(static_cast<std::size_t>(got));
    if (state_ == State::upgrading) {
      head_ += text_of(input);
      read_upgrade();
    } else {
      on_frames(input);
    }
    if (fd_ < 0 || state_ == State::connecting) return;
    // A short read from a plain socket is the last one; TLS may hold more.
    if (ssl_ == nullptr ? static_cast<std::size_t>(got) < load_.read_buffer.size() : SSL_has_pending(ssl_) == 0) return;
  }
}

void Connection::read_upgrade() {
  const std::size_t end = head_.find("\r\n\r\n");
  if (end == std::string::npos) return;
  if (!head_.starts_with("HTTP/1.1 " + load_.options.status + " ")) die("another answer: " + head_.substr(0, end));
  if (load_.options.status != "101") return finish();
  if (head_.find(load_.accept) > end) die("no upgrade: " + head_.substr(0, end));
  const std::string rest = head_.substr(end + 4);
  std::string().swap(head_);
  state_ = State::open;
  load_.opened(*this);
  if (load_.options.mode == Mode::handshakes) {
    state_ = State::closing;
    ws::append_close(out_, 1000, "", load_.mask());
    flush();
  }
  if (!rest.empty()) on_frames(bytes_of(rest));
}

void Connection::send_message() {
  ws::append_text(out_, load_.message(index_ << 40 | next_sequence_++), load_.mask());
  sent_at_.push_back(Clock::now());
  flush();
}

void Connection::on_frames(Bytes input) {
  frames_->feed(input);
  for (;;) {
    auto unit = frames_->next();
    if (!unit.ok()) die("bad frame: " + unit.error().detail);
    switch (unit->kind) {
      case ws::Unit::Kind::need_more:
        return;
      case ws::Unit::Kind::close:
        if (state_ != State::closing) die("closed while in use");
        return finish();
      case ws::Unit::Kind::ping:
        ws::append_pong(out_, unit->unmask_into(load_.scratch), load_.mask());
        flush();
        break;
      case ws::Unit::Kind::text: {
        const std::string_view payload = text_of(unit->unmask_into(load_.scratch));
        if (payload != load_.message(index_ << 40 | expected_sequence_)) die("another payload came back");
        ++expected_sequence_;
        const Clock::duration latency = Clock::now() - sent_at_.front();
        sent_at_.erase(sent_at_.begin());
        load_.echoed(*this, latency);
        break;
      }
      default:
        die("an unexpected frame");
    }
  }
}

void Connection::finish() {
  drop();
  load_.handshaken(*this);
}

void Connection::flush() {
  std::size_t at = 0;
  while (at < out_.size()) {
    const long sent = write_some(bytes_of(out_).subspan(at));
    if (sent < 0) break;
    at += static_cast<std::size_t>(sent);
  }
  out_.erase(0, at);
  want(out_.empty() ? EPOLLIN : EPOLLIN | EPOLLOUT);
}

long Connection::read_some(MutableBytes into) {
  if (ssl_ == nullptr) {
    const ssize_t got = recv(fd_, into.data(), into.size(), 0);
    return got < 0 && errno != EAGAIN ? 0 : got;
  }
  const int got = SSL_read(ssl_, into.data(), static_cast<int>(into.size()));
  if (got > 0) return got;
  const int error = SSL_get_error(ssl_, got);
  ERR_clear_error();
  return error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE ? -1 : 0;
}

long Connection::write_some(Bytes from) {
  if (ssl_ == nullptr) {
    const ssize_t sent = send(fd_, from.data(), from.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN) die(std::string("send: ") + std::strerror(errno));
    return sent;
  }
  const int sent = SSL_write(ssl_, from.data(), static_cast<int>(std::min<std::size_t>(from.size(), 1 << 30)));
  if (sent > 0) return sent;
  const int error = SSL_get_error(ssl_, sent);
  if (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE) die("TLS write failed");
  return -1;
}

constexpr std::string_view websocket_key = "MDEyMzQ1Njc4OWFiY2RlZg==";

std::string make_request(const Options& options) {
  std::string request =
      "GET " + options.path + " HTTP/1.1\r\nHost: " + options.host +
      "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ";
  request += websocket_key;
  request += "\r\n";
  if (!options.origin.empty()) request += "Origin: " + options.origin + "\r\n";
  if (!options.token.empty()) request += "Authorization: Bearer " + options.token + "\r\n";
  return request + "\r\n";
}

Load::Load(Options given)
    : options(std::move(given)),
      request(make_request(options)),
      accept(bench::accept_for(websocket_key)),
      scratch(options.size + 125) {
  if (options.tls) {
    context_ = SSL_CTX_new(TLS_client_method());
    // The same work for every proxy; its certificate is self-signed and of no interest here.
    SSL_CTX_set_min_proto_version(context_, TLS1_3_VERSION);
    SSL_CTX_set_ciphersuites(context_, "TLS_AES_128_GCM_SHA256");
    SSL_CTX_set1_groups_list(context_, "X25519");
    SSL_CTX_set_verify(context_, SSL_VERIFY_NONE, nullptr);
    SSL_CTX_set_session_cache_mode(context_, SSL_SESS_CACHE_OFF);
    if (options.resume) {
      SSL_CTX_set_session_cache_mode(context_, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
      SSL_CTX_set_app_data(context_, this);
      SSL_CTX_sess_set_new_cb(context_, [](SSL* ssl, SSL_SESSION* given) {
        auto& load = *static_cast<Load*>(SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl)));
        SSL_SESSION_free(std::exchange(load.session, given));
        return 1;
      });
    }
    SSL_CTX_set_mode(context_,
                     SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_read_ahead(context_, 1);
  }
  payload_ = std::string(sequence_key) + std::string(sequence_digits, '0') + "\",\"text\":\"";
  payload_.append(options.size - payload_.size() - 2, 'x');
  payload_ += "\"}";
  epoll = epoll_create1(EPOLL_CLOEXEC);
}

std::string_view Load::message(std::uint64_t sequence) {
  for (std::size_t i = sequence_digits; i > 0; --i, sequence >>= 4) {
    payload_[sequence_key.size() + i - 1] = "0123456789abcdef"[sequence & 15];
  }
  return payload_;
}

ws::Mask Load::mask() {
  const auto bits = static_cast<std::uint32_t>(random_());
  ws::Mask mask;
  std::memcpy(mask.data(), &bits, mask.size());
  return mask;
}

bool Load::begin() {
  if (options.count != 0 && begun_ == options.count) return false;
  ++begun_;
  return true;
}

void Load::start_next() {
  if (started_ < connections_.size()) connections_[started_++]->start();
}

void Load::opened(Connection& connection) {
  if (options.mode == Mode::handshakes) return;
  ++open_;
  if (options.mode == Mode::idle) connection.send_message();
  start_next();
}

void Load::echoed(Connection& connection, Clock::duration latency) {
  ++done_;
  if (measuring_)
    latencies_.push_back(
        static_cast<std::uint32_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(latency).count() / 100));
  if (running_ && options.mode == Mode::messages && begin()) connection.send_message();
}

void Load::handshaken(Connection& connection) {
  ++done_;
  if (running_ && begin()) connection.start();
}

void Load::turn() {
  std::array<epoll_event, 256> events;
  const int count = epoll_wait(epoll, events.data(), static_cast<int>(events.size()), 10000);
  if (count == 0) die("nothing happened for ten seconds");
  for (int i = 0; i < count; ++i) {
    const epoll_event& event = events[static_cast<std::size_t>(i)];
    static_cast<Connection*>(event.data.ptr)->on_event(event.events);
  }
}

void Load::report(double seconds, std::uint64_t cpu) {
  const double each = done_ == 0 ? 0 : static_cast<double>(cpu) / 1000.0 / static_cast<double>(done_);
  std::printf("{\"done\": %llu, \"seconds\": %.3f, \"per_second\": %.0f, \"cpu_us_each\": %.3f",
              static_cast<unsigned long long>(done_), seconds, seconds > 0 ? static_cast<double>(done_) / seconds : 0,
              each);
  if (!latencies_.empty()) {
    std::sort(latencies_.begin(), latencies_.end());
    const auto at = [&](double share) {
      return latencies_[static_cast<std::size_t>(share * static_cast<double>(latencies_.size() - 1))] / 10.0;
    };
    std::printf(", \"p50_us\": %.1f, \"p99_us\": %.1f", at(0.5), at(0.99));
  }
  std::puts("}");
  std::fflush(stdout);
}

int Load::run() {
  for (std::size_t i = 0; i < options.connections; ++i) connections_.push_back(std::make_unique<Connection>(*this, i));
  if (options.mode == Mode::handshakes) {
    running_ = true;
    for (const auto& connection : connections_) {
      if (begin()) connection->start();
    }
  } else {
    for (std::size_t i = 0; i < std::min<std::size_t>(32, options.connections); ++i) start_next();
    while (open_ < options.connections) turn();
  }
  if (options.mode == Mode::idle) {
    while (done_ < options.connections) turn();
    report(0, 0);
    return std::getchar() == EOF ? 0 : 1;
  }
  if (options.mode == Mode::messages) {
    running_ = true;
    for (std::size_t i = 0; i < options.in_flight; ++i) {
      for (const auto& connection : connections_) {
        if (begin()) connection->send_message();
      }
    }
  }
  if (options.count != 0) {
    const Clock::time_point begin = Clock::now();
    while (done_ < options.count) turn();
    report(std::chrono::duration<double>(Clock::now() - begin).count(), 0);
    return 0;
  }
  const auto run_for = [this](double seconds) {
    const Clock::time_point begin = Clock::now();
    std::chrono::duration<double> spent{};
    while (spent.count() < seconds) {
      turn();
      spent = Clock::now() - begin;
    }
    return spent.count();
  };
  run_for(options.warmup);
  measuring_ = options.mode == Mode::messages;
  done_ = 0;
  const std::uint64_t cpu_before = cpu_ns(options.watch);
  const double seconds = run_for(options.seconds);
  const std::uint64_t cpu = cpu_ns(options.watch) - cpu_before;
  running_ = false;
  report(seconds, cpu);
  return 0;
}

Options parse_arguments(int count, char** arguments) {
  Options options;
  if (count < 2) usage();
  const std::string_view mode = arguments[1];
  if (mode == "handshakes") {
    options.mode = Mode::handshakes;
    options.connections = 16;
  } else if (mode == "idle") {
    options.mode = Mode::idle;
  } else if (mode != "messages") {
    usage();
  }
  for (int i = 2; i < count; ++i) {
    const std::string_view name = arguments[i];
    if (name == "--plain") {
      options.tls = false;
      continue;
    }
    if (name == "--resume") {
      options.resume = true;
      continue;
    }
    if (i + 1 == count) usage();
    const char* value = arguments[++i];
    if (name == "--port")
      options.port = std::atoi(value);
    else if (name == "--address")
      options.address = value;
    else if (name == "--host")
      options.host = value;
    else if (name == "--path")
      options.path = value;
    else if (name == "--origin")
      options.origin = value;
    else if (name == "--token-file")
      std::getline(std::ifstream(value), options.token);
    else if (name == "--connections")
      options.connections = std::strtoul(value, nullptr, 10);
    else if (name == "--in-flight")
      options.in_flight = std::strtoul(value, nullptr, 10);
    else if (name == "--size")
      options.size = std::strtoul(value, nullptr, 10);
    else if (name == "--warmup")
      options.warmup = std::atof(value);
    else if (name == "--seconds")
      options.seconds = std::atof(value);
    else if (name == "--count")
      options.count = std::strtoull(value, nullptr, 10);
    else if (name == "--status")
      options.status = value;
    else if (name == "--watch")
      options.watch.push_back(std::atoi(value));
    else
      usage();
  }
  if (options.port == 0 || options.size < 64 || options.connections == 0) usage();
  return options;
}

}  // namespace

int main(int count, char** arguments) {
  std::signal(SIGPIPE, SIG_IGN);
  return Load(parse_arguments(count, arguments)).run();
}
