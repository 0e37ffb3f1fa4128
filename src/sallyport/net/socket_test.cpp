#include "sallyport/net/socket.h"

#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <vector>

#include "sallyport/net/loopback.h"
#include "sallyport/net/turning.h"

using namespace sallyport;
using namespace sallyport::net;
using net::testing::keep;
using net::testing::Loopback;
using net::testing::wait_for;

namespace {

Endpoint ip(std::string_view host, std::uint16_t port = 443) {
  auto parsed = Endpoint::parse_ip(host, port);
  REQUIRE(parsed.ok());
  return *parsed;
}

template <class T>
bool refused(const Result<T>& result, Reason reason) {
  return !result.ok() && result.error().reason == reason;
}

// Two connected streams on one loop, and a waiter attached to each.
struct Pair {
  Pair() {
    auto [client_fd, server_fd] = Loopback(loop).connect_pair();
    client.emplace(loop, std::move(client_fd));
    server.emplace(loop, std::move(server_fd));
    client->attach(client_waiter.wake(), Waiter::readable, Waiter::writable);
    server->attach(server_waiter.wake(), Waiter::readable, Waiter::writable);
  }
  Deadline soon() const { return {loop.now() + std::chrono::seconds(10), Reason::upstream_timeout}; }
  Result<std::string> server_reads() {
    std::array<Byte, 65536> buffer;
    const auto count = wait_for(loop, server_waiter.read_some(*server, buffer, soon()));
    if (!count.ok()) return count.error();
    return std::string(text_of(Bytes(buffer).first(*count)));
  }

  SystemClock clock;
  Loop loop{clock};
  Waiter client_waiter{loop};
  Waiter server_waiter{loop};
  std::optional<PlainStream> client;
  std::optional<PlainStream> server;
};

}  // namespace

TEST_CASE("endpoint: addresses are printed as they are written everywhere") {
  struct Row {
    const char* given;
    const char* ip;
    const char* network;
    const char* text;
    bool loopback;
  };
  for (const Row& row : {
           Row{"192.0.2.1", "192.0.2.1", "192.0.2.1", "192.0.2.1:443", false},
           Row{"127.0.0.1", "127.0.0.1", "127.0.0.1", "127.0.0.1:443", true},
           Row{"127.255.0.9", "127.255.0.9", "127.255.0.9", "127.255.0.9:443", true},
           Row{"::1", "::1", "::/64", "[::1]:443", true},
           Row{"2001:db8:1:2:3:4:5:6", "2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64", "[2001:db8:1:2:3:4:5:6]:443",
               false},
           Row{"2001:DB8:0:0::1", "2001:db8::1", "2001:db8::/64", "[2001:db8::1]:443", false},
           Row{"::ffff:192.0.2.1", "192.0.2.1", "192.0.2.1", "192.0.2.1:443", false},
           Row{"::ffff:127.0.0.1", "127.0.0.1", "127.0.0.1", "127.0.0.1:443", true},
           Row{"::", "::", "::/64", "[::]:443", false},
       }) {
    CAPTURE(row.given);
    const Endpoint endpoint = ip(row.given);
    CHECK(endpoint.ip() == row.ip);
    CHECK(endpoint.network() == row.network);
    CHECK(endpoint.text() == row.text);
    CHECK(endpoint.is_loopback() == row.loopback);
    CHECK(endpoint.port() == 443);
  }
}

TEST_CASE("endpoint: what is no IP literal is refused") {
  using namespace std::string_view_literals;
  for (const auto host :
       {""sv, "localhost"sv, "1.2.3"sv, "1.2.3.256"sv, "1.2.3.4:5"sv, "[::1]"sv, "::1%lo"sv, " 1.2.3.4"sv,
        "0x7f.0.0.1"sv, "010.0.0.1"sv, "2130706433"sv, "1.2.3.4\0"sv, "127.0.0.1\0.example"sv}) {
    CAPTURE(host);
    CHECK(refused(Endpoint::parse_ip(host, 1), Reason::config_invalid));
  }
}

TEST_CASE("endpoint: a unix socket") {
  const auto endpoint = Endpoint::unix_socket("/run/x.sock");
  REQUIRE(endpoint.ok());
  CHECK(endpoint->text() == "unix:/run/x.sock");
  CHECK(endpoint->ip() == "unix");
  CHECK(endpoint->network() == "unix");
  CHECK(endpoint->is_loopback());
  CHECK(endpoint->port() == 0);
  CHECK(refused(Endpoint::unix_socket(""), Reason::config_invalid));
  CHECK(refused(Endpoint::unix_socket(std::string("\0abstract", 9)), Reason::config_invalid));
  CHECK(Endpoint::unix_socket(std::string(107, 'x')).ok());
  CHECK(refused(Endpoint::unix_socket(std::string(108, 'x')), Reason::config_invalid));
}

TEST_CASE("connect: over IPv4, IPv6 and a unix socket") {
  const SystemClock clock;
  Loop loop(clock);
  Waiter waiter(loop);
  const Deadline deadline{loop.now() + std::chrono::seconds(10), Reason::upstream_timeout};
  const auto path = std::filesystem::temp_directory_path() / ("sallyport-" + std::to_string(::getpid()) + ".sock");
  Endpoint at;
  SUBCASE("IPv4") { at = ip("127.0.0.1", 0); }
  SUBCASE("IPv6") { at = ip("::1", 0); }
  SUBCASE("unix") { at = Endpoint::unix_socket(path.string()).value(); }
  const Result<Fd> listener = listen_on(at, 1);
  if (!listener.ok() && at.text() == "[::1]:0") {
    MESSAGE("this machine has no IPv6: " << listener.error().detail);
    return;
  }
  REQUIRE(listener.ok());
  const Result<Fd> connected = wait_for(loop, connect(waiter, net::testing::local_endpoint(*listener), deadline));
  REQUIRE_MESSAGE(connected.ok(), connected.error().detail);
  const Fd accepted(::accept4(listener->get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
  CHECK(accepted);
  std::filesystem::remove(path);
}

TEST_CASE("connect: a port where nobody listens is upstream.unavailable, with address and cause") {
  const SystemClock clock;
  Loop loop(clock);
  Waiter waiter(loop);
  Endpoint gone;
  {
    const Result<Fd> listener = listen_on(ip("127.0.0.1", 0), 1);
    REQUIRE(listener.ok());
    gone = net::testing::local_endpoint(*listener);
  }
  const auto result =
      wait_for(loop, connect(waiter, gone, {loop.now() + std::chrono::seconds(10), Reason::upstream_timeout}));
  REQUIRE(refused(result, Reason::upstream_unavailable));
  CHECK(result.error().detail == gone.text() + ": Connection refused");
}

TEST_CASE("connect: another stream that wakes the waiter does not pass for the connection") {
  const SystemClock clock;
  Loop loop(clock);
  Waiter waiter(loop);
  const Result<Fd> listener = listen_on(ip("127.0.0.1", 0), 0);
  REQUIRE(listener.ok());
  const Endpoint full = net::testing::local_endpoint(*listener);
  // Nobody accepts, so the kernel answers only as many as its queue holds.
  std::vector<Fd> queued;
  for (int i = 0; i < 4; ++i) {
    queued.emplace_back(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    (void)::connect(queued.back().get(), full.address(), static_cast<socklen_t>(full.length()));
  }
  std::optional<Result<Fd>> result;
  loop.spawn(net::testing::keep(
      connect(waiter, full, {loop.now() + std::chrono::milliseconds(50), Reason::upstream_timeout}), result));
  REQUIRE_FALSE(result);
  waiter.wake().raise(Waiter::readable | Waiter::writable);
  net::testing::finish_all(loop);
  CHECK(refused(*result, Reason::upstream_timeout));
}

TEST_CASE("connect: ends at an interruption") {
  const SystemClock clock;
  Loop loop(clock);
  Waiter waiter(loop);
  const Result<Fd> listener = listen_on(ip("127.0.0.1", 0), 1);
  REQUIRE(listener.ok());
  waiter.interrupt({Reason::server_draining, ""});
  const auto result = wait_for(loop, connect(waiter, net::testing::local_endpoint(*listener),
                                             {loop.now() + std::chrono::seconds(10), Reason::upstream_timeout}));
  CHECK(refused(result, Reason::server_draining));
}

TEST_CASE("listen: several on one port share it, and accepted sockets do not delay") {
  const Result<Fd> first = listen_on(ip("127.0.0.1", 0), 1);
  REQUIRE(first.ok());
  CHECK(listen_on(net::testing::local_endpoint(*first), 1).ok());
  const SystemClock clock;
  Loop loop(clock);
  const auto [client, server] = Loopback(loop).connect_pair();
  for (const Fd* fd : {&client, &server}) {
    int on = 0;
    socklen_t size = sizeof on;
    REQUIRE(::getsockopt(fd->get(), IPPROTO_TCP, TCP_NODELAY, &on, &size) == 0);
    CHECK(on != 0);
  }
}

TEST_CASE("listen: an address of another machine is refused with the system's words") {
  const Result<Fd> listener = listen_on(ip("192.0.2.1", 0), 1);
  REQUIRE(refused(listener, Reason::config_invalid));
  CHECK(listener.error().detail == "192.0.2.1:0: bind: Cannot assign requested address");
}

TEST_CASE("resolve: an IP literal needs no look-up, a name without meaning is upstream.unavailable") {
  const auto literal = resolve("127.0.0.1", 80);
  REQUIRE(literal.ok());
  REQUIRE(literal->size() == 1);
  CHECK(literal->front().text() == "127.0.0.1:80");
  CHECK(refused(resolve("not a name", 80), Reason::upstream_unavailable));
}

TEST_CASE("plain stream: bytes go both ways, and an orderly end is an end") {
  Pair pair;
  CHECK(wait_for(pair.loop, pair.client_waiter.write_all(*pair.client, bytes_of("hello"), pair.soon())).ok());
  CHECK(pair.server_reads().value() == "hello");
  pair.client->finish();
  const auto ended = pair.server_reads();
  REQUIRE(refused(ended, Reason::peer_gone));
  CHECK(ended.error().detail == "stream ended");
  // The other direction is still open.
  CHECK(wait_for(pair.loop, pair.server_waiter.write_all(*pair.server, bytes_of("bye"), pair.soon())).ok());
  std::array<Byte, 16> buffer;
  CHECK(wait_for(pair.loop, pair.client_waiter.read_some(*pair.client, buffer, pair.soon())).value() == 3);
}

TEST_CASE("plain stream: a reset is a failure, for writes too and without a signal") {
  Pair pair;
  const linger at_once{1, 0};
  Fd raw;
  {
    auto [client_fd, server_fd] = Loopback(pair.loop).connect_pair();
    raw = std::move(client_fd);
    pair.server.emplace(pair.loop, std::move(server_fd));
    pair.server->attach(pair.server_waiter.wake(), Waiter::readable, Waiter::writable);
  }
  REQUIRE(::setsockopt(raw.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once) == 0);
  raw = Fd();
  const auto failed = pair.server_reads();
  REQUIRE(refused(failed, Reason::peer_gone));
  CHECK(failed.error().detail == "stream failed");
  CHECK(pair.server->write(bytes_of("x")).status == IoStatus::failed);
}

TEST_CASE("plain stream: a write that blocks goes on when the peer reads") {
  Pair pair;
  const std::string large(32 << 20, 'x');
  std::optional<Result<void>> written;
  pair.loop.spawn(keep(pair.client_waiter.write_all(*pair.client, bytes_of(large), pair.soon()), written));
  CHECK_FALSE(written);
  std::size_t total = 0;
  while (total < large.size()) {
    const auto part = pair.server_reads();
    REQUIRE(part.ok());
    total += part->size();
  }
  CHECK(total == large.size());
  net::testing::finish_all(pair.loop);
  CHECK(written->ok());
}

TEST_CASE("plain stream: while reading is paused nothing is reported, and nothing is lost") {
  Pair pair;
  pair.server->pause_reading();
  std::optional<Result<std::uint32_t>> readable;
  pair.loop.spawn(keep(pair.server_waiter.wait_for(Waiter::readable, pair.soon()), readable));
  CHECK(pair.client->write(bytes_of("hello")).status == IoStatus::ok);
  for (int i = 0; i < 3; ++i) pair.loop.turn(Duration::zero());
  CHECK_FALSE(readable);
  pair.server->resume_reading();
  net::testing::finish_all(pair.loop);
  CHECK(readable->ok());
  CHECK(pair.server_reads().value() == "hello");
}

TEST_CASE("plain stream: what came before a hang-up is read before the end") {
  Pair pair;
  pair.server->pause_reading();
  CHECK(pair.client->write(bytes_of("last words")).status == IoStatus::ok);
  pair.client.reset();
  for (int i = 0; i < 3; ++i) pair.loop.turn(Duration::zero());
  pair.server->resume_reading();
  CHECK(pair.server_reads().value() == "last words");
  CHECK(refused(pair.server_reads(), Reason::peer_gone));
}
