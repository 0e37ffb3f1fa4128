#include "load.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <ctime>
#include <map>
#include <random>
#include <thread>

#include "die.h"
#include "processes.h"

namespace sallyport::bench {

namespace {

using namespace std::chrono_literals;

constexpr auto patience = 15s;
constexpr std::size_t opening_at_a_time = 32;

int remember_session(SSL* ssl, SSL_SESSION* session) {
  static_cast<Client*>(SSL_get_app_data(ssl))->remember(session);
  return 1;
}

std::uint64_t day_ns() {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<std::uint64_t>(now.tv_nsec);
}

int connect_to(int port) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0) return fd;
  ::close(fd);
  return -1;
}

void end_line() {
  std::puts("}");
  std::fflush(stdout);
}

}  // namespace

Load::Load(Options given) : options(std::move(given)), random_(std::random_device{}() | 1U) {
  // The pace of an open loop is finer than the kernel's usual slack.
  prctl(PR_SET_TIMERSLACK, 1);
  epoll_ = epoll_create1(EPOLL_CLOEXEC);
  if (!options.tls) return;
  context_ = SSL_CTX_new(TLS_client_method());
  // The same work for every server; its certificate is self-signed and of no interest here.
  SSL_CTX_set_min_proto_version(context_, TLS1_3_VERSION);
  SSL_CTX_set_ciphersuites(context_, "TLS_AES_128_GCM_SHA256");
  SSL_CTX_set1_groups_list(context_, "X25519");
  SSL_CTX_set_verify(context_, SSL_VERIFY_NONE, nullptr);
  if (options.resume) {
    SSL_CTX_set_session_cache_mode(context_, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL_STORE);
    SSL_CTX_sess_set_new_cb(context_, remember_session);
  } else {
    SSL_CTX_set_session_cache_mode(context_, SSL_SESS_CACHE_OFF);
  }
  SSL_CTX_set_mode(context_,
                   SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_read_ahead(context_, 1);
}

Load::~Load() {
  clients_.clear();
  SSL_CTX_free(context_);
  ::close(epoll_);
}

Mask Load::mask() {
  random_ ^= random_ << 13;
  random_ ^= random_ >> 7;
  random_ ^= random_ << 17;
  Mask mask;
  std::memcpy(mask.data(), &random_, mask.size());
  return mask;
}

void Load::turn(Clock::time_point until) {
  const auto wait = std::max(Clock::duration::zero(), std::min<Clock::duration>(until - Clock::now(), patience));
  const auto ns = std::chrono::duration_cast<std::chrono::nanoseconds>(wait).count();
  const timespec limit{.tv_sec = ns / 1'000'000'000, .tv_nsec = ns % 1'000'000'000};
  std::array<epoll_event, 256> events;
  const int count = epoll_pwait2(epoll_, events.data(), static_cast<int>(events.size()), &limit, nullptr);
  if (count == 0 && wait == patience) die("nothing happened for too long");
  for (int i = 0; i < count; ++i) {
    const epoll_event& event = events[static_cast<std::size_t>(i)];
    static_cast<Client*>(event.data.ptr)->on_event(event.events);
  }
}

/// Calls `step` until the time is over and `least` are done, without which nothing is measured; the time it took.
template <typename Step>
double Load::run_for(double seconds, std::size_t least, Step step) {
  const Clock::time_point begin = Clock::now();
  std::chrono::duration<double> spent{};
  while ((spent.count() < seconds || done_ < least) && step()) {
    spent = Clock::now() - begin;
    if (spent > std::chrono::duration<double>(seconds) + 2 * patience) die("next to nothing is done");
  }
  return spent.count();
}

void Load::measure(double seconds, double cpu) {
  const auto done = static_cast<double>(done_);
  std::printf("{\"done\": %llu, \"seconds\": %.4f, \"per_second\": %.1f, \"cpu_us_each\": %.4f, \"busy\": %.3f",
              static_cast<unsigned long long>(done_), seconds, done / seconds, done_ == 0 ? 0 : cpu / 1000 / done,
              cpu / 1e9 / seconds);
  if (!latencies_.empty()) {
    std::sort(latencies_.begin(), latencies_.end());
    const auto at = [&](double share) {
      return latencies_[static_cast<std::size_t>(share * static_cast<double>(latencies_.size() - 1))] / 10.0;
    };
    std::printf(", \"p50_us\": %.1f, \"p99_us\": %.1f, \"p999_us\": %.1f", at(0.5), at(0.99), at(0.999));
  }
}

bool Load::start(Client& client) {
  std::optional<std::string> token = options.tokens == nullptr ? std::string() : options.tokens->next();
  if (!token) return false;
  client.start(*token);
  return true;
}

/// Counts one more as begun; false when an exact load has had all.
bool Load::begin() {
  if (to_begin_ == 0) return false;
  if (to_begin_ != UINT64_MAX) --to_begin_;
  return true;
}

void Load::begin_messages(std::size_t size, std::size_t in_flight) {
  kind_ = Kind::closed_loop;
  payload_ = Payload(options.shape, size);
  for (std::size_t i = 0; i < in_flight; ++i) {
    for (const auto& client : clients_) {
      if (!begin()) return;
      ++under_way_;
      client->send(Clock::now());
    }
  }
}

void Load::begin_handshakes(std::size_t at_a_time) {
  kind_ = Kind::handshakes;
  while (clients_.size() < at_a_time) clients_.push_back(std::make_unique<Client>(*this, clients_.size()));
  for (const auto& client : clients_) {
    if (begin() && start(*client)) ++under_way_;
  }
}

void Load::send_exactly(std::size_t size, std::size_t in_flight, std::uint64_t count) {
  to_begin_ = count;
  done_ = 0;
  begin_messages(size, in_flight);
  while (done_ < count) turn(Clock::time_point::max());
  to_begin_ = UINT64_MAX;
  std::printf("{\"done\": %llu", static_cast<unsigned long long>(done_));
  end_line();
}

void Load::connect_exactly(std::size_t at_a_time, std::uint64_t count) {
  to_begin_ = count;
  done_ = resumed_ = 0;
  begin_handshakes(at_a_time);
  while (under_way_ > 0) turn(Clock::time_point::max());
  to_begin_ = UINT64_MAX;
  std::printf("{\"done\": %llu, \"resumed\": %llu", static_cast<unsigned long long>(done_),
              static_cast<unsigned long long>(resumed_));
  end_line();
}

void Load::start_next() {
  if (started_ == clients_.size()) return;
  Client& client = *clients_[started_++];
  if (!start(client)) die("there are fewer tokens than connections");
}

void Load::open(std::size_t count) {
  kind_ = Kind::opening;
  payload_ = Payload(options.shape, Payload::smallest);
  done_ = 0;
  const std::size_t before = clients_.size();
  while (clients_.size() < count) clients_.push_back(std::make_unique<Client>(*this, clients_.size()));
  started_ = before;
  for (std::size_t i = 0; i < opening_at_a_time; ++i) start_next();
  while (done_ < clients_.size() - before) turn(Clock::time_point::max());
  std::printf("{\"open\": %zu", clients_.size());
  end_line();
}

void Load::opened(Client& client) {
  if (kind_ != Kind::opening) return client.close();
  ++under_way_;
  client.send(Clock::now());
  start_next();
}

void Load::echoed(Client& client, Clock::time_point since) {
  ++done_;
  --under_way_;
  if (measuring_) {
    const auto latency = std::chrono::duration_cast<std::chrono::nanoseconds>(Clock::now() - since).count();
    latencies_.push_back(static_cast<std::uint32_t>(std::min<long>(latency / 100, UINT32_MAX)));
  }
  if (kind_ == Kind::closed_loop && begin()) {
    ++under_way_;
    client.send(Clock::now());
  }
}

void Load::closed(Client& client) {
  if (kind_ != Kind::handshakes) {
    --under_way_;
    return;
  }
  ++done_;
  if (client.resumed()) ++resumed_;
  if (!begin() || !start(client)) --under_way_;
}

void Load::drain() {
  kind_ = Kind::draining;
  measuring_ = false;
  while (under_way_ > 0) turn(Clock::time_point::max());
  latencies_.clear();
}

template <typename Step>
void Load::measure_messages(double warmup, double seconds, const std::vector<int>& watched, Step step) {
  run_for(warmup, 0, step);
  measuring_ = true;
  done_ = 0;
  const std::uint64_t before = cpu_ns(watched);
  const double spent = run_for(seconds, clients_.size(), step);
  const double cpu = static_cast<double>(cpu_ns(watched) - before);
  measure(spent, cpu);
  end_line();
  drain();
}

void Load::messages(std::size_t size, std::size_t in_flight, double warmup, double seconds,
                    const std::vector<int>& watched) {
  begin_messages(size, in_flight);
  const auto step = [this] {
    turn(Clock::now() + 1s);
    return true;
  };
  measure_messages(warmup, seconds, watched, step);
}

void Load::rate(std::size_t size, double rate, double warmup, double seconds, const std::vector<int>& watched) {
  kind_ = Kind::open_loop;
  payload_ = Payload(options.shape, size);
  const auto pause = std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(1 / rate));
  Clock::time_point due = Clock::now();
  std::size_t next = 0;
  const auto step = [&] {
    // A burst never starves the reading.
    for (int burst = 0; burst < 64 && due <= Clock::now(); ++burst) {
      if (under_way_ > 200 * clients_.size()) die("the server does not keep up with the rate");
      ++under_way_;
      clients_[next++ % clients_.size()]->send(due);
      due += pause;
    }
    turn(due);
    return true;
  };
  measure_messages(warmup, seconds, watched, step);
}

void Load::handshakes(std::size_t at_a_time, double warmup, double seconds, const std::vector<int>& watched) {
  begin_handshakes(at_a_time);
  const auto step = [this] {
    if (under_way_ == 0) return false;
    turn(Clock::now() + 1s);
    return true;
  };
  run_for(warmup, 0, step);
  done_ = resumed_ = 0;
  const std::uint64_t before = cpu_ns(watched);
  const double spent = run_for(seconds, clients_.size(), step);
  const double cpu = static_cast<double>(cpu_ns(watched) - before);
  measure(spent, cpu);
  std::printf(", \"resumed\": %llu", static_cast<unsigned long long>(resumed_));
  end_line();
  kind_ = Kind::draining;
  while (under_way_ > 0) turn(Clock::time_point::max());
  clients_.clear();
}

void Load::revoke(int admin, const std::string& request, const std::vector<int>& watched) {
  kind_ = Kind::draining;
  for (const auto& client : clients_) client->watch_end();
  // The kernel begins to note the times a little after it was asked to.
  std::this_thread::sleep_for(200ms);
  const int operator_fd = connect_to(admin);
  if (operator_fd < 0) die("the admin port does not answer");
  epoll_event event{.events = EPOLLIN | EPOLLONESHOT, .data = {.ptr = nullptr}};
  epoll_ctl(epoll_, EPOLL_CTL_ADD, operator_fd, &event);

  std::vector<std::uint64_t> ends;
  std::uint64_t answered = 0;
  const std::uint64_t cpu_before = cpu_ns(watched);
  const std::uint64_t begin = day_ns();
  if (::send(operator_fd, request.data(), request.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(request.size())) {
    die("the admin port does not listen");
  }
  std::array<epoll_event, 512> events;
  while (ends.size() < clients_.size() || answered == 0) {
    const int count = epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), 20000);
    if (count <= 0) die("only " + std::to_string(ends.size()) + " connections were told their end");
    for (int i = 0; i < count; ++i) {
      auto* client = static_cast<Client*>(events[static_cast<std::size_t>(i)].data.ptr);
      if (client == nullptr) {
        answered = day_ns();
      } else {
        ends.push_back(client->arrival());
      }
    }
  }
  const std::uint64_t seen = day_ns();
  const std::uint64_t cpu_told = cpu_ns(watched) - cpu_before;

  std::string answer(4096, '\0');
  const ssize_t got = recv(operator_fd, answer.data(), answer.size(), 0);
  ::close(operator_fd);
  if (got <= 0 || !answer.starts_with("HTTP/1.1 200 ")) die("the revocation was refused: " + answer.substr(0, 500));
  std::map<unsigned, std::size_t> codes;
  for (const auto& client : clients_) ++codes[client->read_end()];
  clients_.clear();
  // What is left to do once the clients have answered and gone.
  std::this_thread::sleep_for(1s);
  const std::uint64_t cpu_gone = cpu_ns(watched) - cpu_before;

  std::sort(ends.begin(), ends.end());
  const auto ms = [begin](std::uint64_t time) {
    return (static_cast<double>(time) - static_cast<double>(begin)) / 1e6;
  };
  std::printf(
      "{\"closed\": %zu, \"first_ms\": %.3f, \"median_ms\": %.3f, \"last_ms\": %.3f, \"answered_ms\": %.3f, "
      "\"seen_by_load_ms\": %.3f, \"cpu_ms_told\": %.3f, \"cpu_ms_gone\": %.3f, \"codes\": {",
      ends.size(), ms(ends.front()), ms(ends[ends.size() / 2]), ms(ends.back()), ms(answered), ms(seen),
      static_cast<double>(cpu_told) / 1e6, static_cast<double>(cpu_gone) / 1e6);
  const char* comma = "";
  for (const auto& [code, count] : codes) {
    std::printf("%s\"%u\": %zu", comma, code, count);
    comma = ", ";
  }
  std::printf("}");
  end_line();
}

void Load::ready(double patience_seconds) {
  const Clock::time_point until =
      Clock::now() + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(patience_seconds));
  std::printf("{\"trying\": true");
  end_line();
  for (;;) {
    const int fd = connect_to(options.port);
    if (fd >= 0) {
      ::close(fd);
      break;
    }
    if (Clock::now() > until) die("the server does not listen");
    std::this_thread::sleep_for(200us);
  }
  const auto ns = [] { return std::chrono::nanoseconds(Clock::now().time_since_epoch()).count(); };
  const auto connected = ns();
  kind_ = Kind::opening;
  clients_.push_back(std::make_unique<Client>(*this, 0));
  done_ = started_ = 0;
  start_next();
  while (done_ == 0) turn(Clock::time_point::max());
  std::printf("{\"connected_ns\": %lld, \"echoed_ns\": %lld", static_cast<long long>(connected),
              static_cast<long long>(ns()));
  end_line();
}

}  // namespace sallyport::bench
