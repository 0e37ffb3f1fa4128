#include "sallyport/net/proxy_protocol.h"

#include <doctest/doctest.h>
#include <sys/socket.h>

#include <string>

#include "sallyport/net/loopback.h"

using namespace sallyport;
using namespace sallyport::net;
using net::testing::Loopback;
using net::testing::wait_for;

namespace {

const std::string signature("\r\n\r\n\0\r\nQUIT\n", 12);

std::string binary(unsigned char version_and_command, unsigned char family, const std::string& rest) {
  std::string out = signature;
  out.push_back(static_cast<char>(version_and_command));
  out.push_back(static_cast<char>(family));
  out.push_back(static_cast<char>(rest.size() >> 8U));
  out.push_back(static_cast<char>(rest.size() & 0xffU));
  return out + rest;
}
std::string bytes(std::initializer_list<int> values) {
  std::string out;
  for (const int value : values) out.push_back(static_cast<char>(value));
  return out;
}

const std::string v4 = bytes({192, 0, 2, 7, 198, 51, 100, 1, 0x12, 0x67, 0x01, 0xbb});
const std::string v6 = bytes({0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7,  //
                              0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0x12, 0x67, 0x01, 0xbb});

// The client's address and port, `-` when it is not told, `more`, or `no`.
std::string read(const std::string& text) {
  const auto parsed = parse_proxy_header(bytes_of(text));
  if (!parsed.ok()) {
    CHECK(parsed.error().reason == Reason::proxy_malformed);
    return "no";
  }
  if (!*parsed) return "more";
  CHECK((*parsed)->size <= text.size());
  return (*parsed)->source ? (*parsed)->source->text() : "-";
}

}  // namespace

TEST_CASE("proxy protocol: version 1") {
  CHECK(read("PROXY TCP4 192.0.2.7 198.51.100.1 4711 443\r\n") == "192.0.2.7:4711");
  CHECK(read("PROXY TCP6 2001:db8::7 2001:db8::1 4711 443\r\n") == "[2001:db8::7]:4711");
  CHECK(read("PROXY TCP6 ::ffff:192.0.2.7 ::ffff:198.51.100.1 4711 443\r\n") == "192.0.2.7:4711");
  CHECK(read("PROXY UNKNOWN\r\n") == "-");
  CHECK(read("PROXY UNKNOWN ffff:f...f:ffff ffff:f...f:ffff 65535 65535\r\n") == "-");
  CHECK(read("PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\nGET / HTTP/1.1\r\n") ==
        "255.255.255.255:65535");
  for (const char* text : {"GET / HTTP/1.1\r\n",
                           "proxy TCP4 192.0.2.7 198.51.100.1 1 2\r\n",
                           "PROXY\r\n",
                           "PROXY \r\n",
                           "PROXY TCP4\r\n",
                           "PROXY TCP4 192.0.2.7 198.51.100.1 4711\r\n",
                           "PROXY TCP4 192.0.2.7 198.51.100.1 4711 443 1\r\n",
                           "PROXY TCP4 192.0.2.7 198.51.100.1 4711 443 \r\n",
                           "PROXY TCP4  192.0.2.7 198.51.100.1 4711 443\r\n",
                           "PROXY TCP4 2001:db8::7 2001:db8::1 1 2\r\n",
                           "PROXY TCP6 192.0.2.7 198.51.100.1 1 2\r\n",
                           "PROXY TCP4 192.0.2.256 198.51.100.1 1 2\r\n",
                           "PROXY TCP4 192.0.2.7 198.51.100.1 65536 2\r\n",
                           "PROXY TCP4 192.0.2.7 198.51.100.1 -1 2\r\n",
                           "PROXY TCP4 192.0.2.7 198.51.100.1 01 2\r\n",
                           "PROXY TCP4 192.0.2.7 198.51.100.1 1 2\n",
                           "PROXY TCP4 192.0.2.7\r 198.51.100.1 1 2\r\n",
                           "PROXY UDP4 192.0.2.7 198.51.100.1 1 2\r\n",
                           "PROXY UNKNOWNX\r\n",
                           "PROXY TCP4 192.0.2.7 198.51.100.1 1 2\r\r\n",
                           "PROXYTCP4 192.0.2.7 198.51.100.1 1 2\r\n",
                           "\r\nPROXY UNKNOWN\r\n",
                           "\x16\x03\x01"}) {
    CAPTURE(text);
    CHECK(read(text) == "no");
  }
  CHECK(read("PROXY UNKNOWN " + std::string(107 - 16, 'x') + "\r\n") == "-");
  CHECK(read("PROXY UNKNOWN " + std::string(107 - 15, 'x') + "\r\n") == "no");
  CHECK(read("PROXY UNKNOWN " + std::string(4000, 'x')) == "no");
}

TEST_CASE("proxy protocol: version 2") {
  CHECK(read(binary(0x21, 0x11, v4)) == "192.0.2.7:4711");
  CHECK(read(binary(0x21, 0x21, v6)) == "[2001:db8::7]:4711");
  CHECK(read(binary(0x21, 0x00, "")) == "-");
  CHECK(read(binary(0x21, 0x00, v4)) == "-");
  CHECK(read(binary(0x21, 0x31, std::string(216, 'x'))) == "-");
  // LOCAL: whatever it says of addresses is not meant.
  CHECK(read(binary(0x20, 0x11, v4)) == "-");
  CHECK(read(binary(0x20, 0x00, "")) == "-");
  CHECK(read(binary(0x20, 0xff, "junk")) == "-");
  // Type-length-values, whatever they hold.
  CHECK(read(binary(0x21, 0x11, v4 + bytes({3, 0, 4, 1, 2, 3, 4, 0xea, 0, 3, 'v', 'p', 'c'}))) == "192.0.2.7:4711");
  CHECK(read(binary(0x21, 0x11, v4 + std::string(3000, 'x')) + "GET / HTTP/1.1\r\n") == "192.0.2.7:4711");
  CHECK(read(binary(0x21, 0x11, v4 + std::string(5000, 'x'))) == "no");
  CHECK(read(binary(0x11, 0x11, v4)) == "no");
  CHECK(read(binary(0x31, 0x11, v4)) == "no");
  CHECK(read(binary(0x22, 0x11, v4)) == "no");
  CHECK(read(binary(0x21, 0x12, v4)) == "no");
  CHECK(read(binary(0x21, 0x22, v6)) == "no");
  CHECK(read(binary(0x21, 0x13, v4)) == "no");
  CHECK(read(binary(0x21, 0x41, v4)) == "no");
  CHECK(read(binary(0x21, 0x11, v4.substr(1))) == "no");
  CHECK(read(binary(0x21, 0x21, v4)) == "no");
  CHECK(read(binary(0x21, 0x31, v6)) == "no");
}

TEST_CASE("proxy protocol: cut anywhere, nothing is known before the end and nothing more is taken") {
  for (const std::string& header :
       {std::string("PROXY TCP4 192.0.2.7 198.51.100.1 4711 443\r\n"), binary(0x21, 0x11, v4),
        binary(0x21, 0x21, v6 + std::string(20, 'x')), std::string("PROXY UNKNOWN\r\n")}) {
    for (std::size_t count = 0; count < header.size(); ++count) CHECK(read(header.substr(0, count)) == "more");
    const auto whole = parse_proxy_header(bytes_of(header + "PROXY UNKNOWN\r\n"));
    CHECK((*whole)->size == header.size());
  }
}

TEST_CASE("proxy protocol: off the stream, byte by byte, and what follows stays") {
  SystemClock clock;
  Loop loop(clock);
  for (const std::string& header : {std::string("PROXY TCP4 192.0.2.7 198.51.100.1 4711 443\r\n"),
                                    binary(0x21, 0x11, v4 + std::string(1500, 'x'))}) {
    for (const std::size_t piece : {std::size_t{1}, std::size_t{17}, std::size_t{4096}}) {
      auto [client, server] = Loopback(loop).connect_pair();
      Waiter waiter(loop);
      PlainStream stream(loop, std::move(server));
      stream.attach(waiter.wake(), Waiter::readable, Waiter::writable);
      std::optional<Result<ProxyHeader>> result;
      loop.spawn(net::testing::keep(
          read_proxy_header(waiter, stream, {loop.now() + std::chrono::seconds(10), Reason::proxy_malformed}), result));
      const std::string all = header + "hello";
      for (std::size_t at = 0; at < all.size(); at += piece) {
        const std::string part = all.substr(at, piece);
        REQUIRE(::send(client.get(), part.data(), part.size(), 0) == static_cast<ssize_t>(part.size()));
        loop.turn(Duration::zero());
      }
      while (!result) loop.turn(std::chrono::milliseconds(10));
      REQUIRE(result->ok());
      CHECK((*result)->source->text() == "192.0.2.7:4711");
      std::array<Byte, 64> rest;
      const IoResult read = stream.read(rest);
      CHECK(text_of(Bytes(rest).first(read.bytes)) == "hello");
    }
  }
}

TEST_CASE("proxy protocol: a header that never ends, or a peer that goes") {
  FakeClock clock;
  Loop loop(clock);
  auto [client, server] = Loopback(loop).connect_pair();
  Waiter waiter(loop);
  PlainStream stream(loop, std::move(server));
  stream.attach(waiter.wake(), Waiter::readable, Waiter::writable);
  std::optional<Result<ProxyHeader>> result;
  loop.spawn(net::testing::keep(
      read_proxy_header(waiter, stream, {loop.now() + std::chrono::seconds(5), Reason::proxy_malformed}), result));
  REQUIRE(::send(client.get(), "PROXY ", 6, 0) == 6);
  loop.turn(Duration::zero());
  CHECK(!result);
  SUBCASE("late") { clock.advance(std::chrono::seconds(5)); }
  SUBCASE("gone") { client = Fd(); }
  while (!result) loop.turn(std::chrono::milliseconds(10));
  REQUIRE(!result->ok());
}
