#include "sallyport/net/proxy_protocol.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>

namespace sallyport::net {
namespace {

using Parsed = Result<std::optional<ProxyHeader>>;

constexpr std::string_view start_of_text = "PROXY ";
constexpr std::string_view start_of_binary{"\r\n\r\n\0\r\nQUIT\n", 12};
constexpr std::size_t longest_text = 107;  // with its CRLF
constexpr std::size_t binary_head = 16;

Error malformed(std::string_view why) { return {Reason::proxy_malformed, std::string(why)}; }

bool starts_alike(std::string_view received, std::string_view start) {
  const std::size_t both = std::min(received.size(), start.size());
  return received.substr(0, both) == start.substr(0, both);
}

Result<std::uint16_t> port_of(std::string_view text) {
  std::uint16_t port = 0;
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), port);
  const bool padded = text.size() > 1 && text.front() == '0';
  if (problem != std::errc() || end != text.data() + text.size() || padded) return malformed("a port is no port");
  return port;
}

// `line` is without its CRLF.
Result<std::optional<Endpoint>> source_of_text(std::string_view line) {
  line.remove_prefix(start_of_text.size());
  if (line == "UNKNOWN" || line.starts_with("UNKNOWN ")) return std::optional<Endpoint>();
  std::array<std::string_view, 5> words;
  for (std::size_t i = 0; i < words.size(); ++i) {
    const auto space = line.find(' ');
    const bool last = i + 1 == words.size();
    if ((space == std::string_view::npos) != last) return malformed("not five words");
    words[i] = line.substr(0, space);
    line.remove_prefix(last ? line.size() : space + 1);
  }
  const int family = words[0] == "TCP4" ? AF_INET : words[0] == "TCP6" ? AF_INET6 : AF_UNSPEC;
  if (family == AF_UNSPEC) return malformed("neither TCP4, TCP6 nor UNKNOWN");
  std::optional<Endpoint> source;
  for (const std::size_t at : {std::size_t{1}, std::size_t{2}}) {
    TRY(const std::uint16_t port, port_of(words[at + 2]));
    auto endpoint = Endpoint::parse_ip(words[at], port);
    if (!endpoint.ok() || endpoint->family() != family) return malformed("an address is none of its family");
    if (at == 1) source = std::move(*endpoint);
  }
  return source;
}

Parsed parse_text(std::string_view received) {
  const auto end = received.substr(0, longest_text).find('\n');
  if (end == std::string_view::npos) {
    if (received.size() >= longest_text) return malformed("a line without an end");
    return std::optional<ProxyHeader>();
  }
  if (received[end - 1] != '\r') return malformed("a line feed without a carriage return");
  const std::string_view line = received.substr(0, end - 1);
  if (line.find('\r') != std::string_view::npos) return malformed("a carriage return inside the line");
  TRY(auto source, source_of_text(line));
  return std::optional(ProxyHeader{std::move(source), end + 1});
}

// `addresses` is what follows the fixed part.
Result<std::optional<Endpoint>> source_of_binary(Byte family_and_transport, Bytes addresses) {
  const auto needs = [&](std::size_t count) -> Result<void> {
    if (addresses.size() < count) return malformed("shorter than its addresses");
    return {};
  };
  switch (family_and_transport) {
    case 0x00:
      return std::optional<Endpoint>();
    case 0x11: {
      TRY_OK(needs(12));
      sockaddr_in v4{};
      v4.sin_family = AF_INET;
      std::memcpy(&v4.sin_addr, addresses.data(), 4);
      std::memcpy(&v4.sin_port, addresses.data() + 8, 2);
      return std::optional(Endpoint::from(reinterpret_cast<const sockaddr*>(&v4), sizeof v4));
    }
    case 0x21: {
      TRY_OK(needs(36));
      sockaddr_in6 v6{};
      v6.sin6_family = AF_INET6;
      std::memcpy(&v6.sin6_addr, addresses.data(), 16);
      std::memcpy(&v6.sin6_port, addresses.data() + 32, 2);
      return std::optional(Endpoint::from(reinterpret_cast<const sockaddr*>(&v6), sizeof v6));
    }
    case 0x31:
      TRY_OK(needs(216));
      return std::optional<Endpoint>();
    default:
      return malformed("neither a stream nor unspecified");
  }
}

Parsed parse_binary(Bytes received) {
  if (received.size() < binary_head) return std::optional<ProxyHeader>();
  if (received[12] >> 4 != 2) return malformed("not version 2");
  const unsigned command = received[12] & 0x0f;
  if (command > 1) return malformed("neither LOCAL nor PROXY");
  const std::size_t size = binary_head + (std::size_t{received[14]} << 8U | received[15]);
  if (size > max_proxy_header) return malformed("longer than " + std::to_string(max_proxy_header) + " bytes");
  if (received.size() < size) return std::optional<ProxyHeader>();
  if (command == 0) return std::optional(ProxyHeader{std::nullopt, size});
  TRY(auto source, source_of_binary(received[13], received.subspan(binary_head, size - binary_head)));
  return std::optional(ProxyHeader{std::move(source), size});
}

}  // namespace

Parsed parse_proxy_header(Bytes received) {
  const std::string_view text = text_of(received);
  if (text.empty()) return std::optional<ProxyHeader>();
  if (text.size() >= start_of_text.size() && text.starts_with(start_of_text)) return parse_text(text);
  if (text.size() >= start_of_binary.size() && text.starts_with(start_of_binary)) return parse_binary(received);
  if (starts_alike(text, start_of_text) || starts_alike(text, start_of_binary)) return std::optional<ProxyHeader>();
  return malformed("no PROXY header");
}

Task<Result<ProxyHeader>> read_proxy_header(Waiter& waiter, SocketStream& stream, Deadline deadline) {
  std::string header;
  for (;;) {
    std::array<Byte, 512> next;
    const IoResult there = stream.peek(next);
    if (there.status == IoStatus::would_block) {
      CO_TRY_OK(co_await waiter.wait_for(Waiter::readable, deadline));
      continue;
    }
    if (there.status != IoStatus::ok) co_return Error{Reason::peer_gone, "gone before its PROXY header"};
    const std::size_t before = header.size();
    header.append(text_of(Bytes(next).first(there.bytes)));
    CO_TRY(std::optional<ProxyHeader> parsed, parse_proxy_header(bytes_of(header)));
    // Of what belongs to the client nothing is taken.
    stream.skip(parsed ? parsed->size - before : there.bytes);
    if (parsed) co_return std::move(*parsed);
  }
}

}  // namespace sallyport::net
