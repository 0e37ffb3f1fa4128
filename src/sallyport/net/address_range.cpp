#include "sallyport/net/address_range.h"

#include <netinet/in.h>

#include <algorithm>
#include <charconv>
#include <cstring>

namespace sallyport::net {
namespace {

struct RawAddress {
  std::array<Byte, 16> bytes{};
  std::uint8_t size = 0;  // 4, 16, or 0 for no IP address
  bool mapped = false;
};

RawAddress raw_of(const Endpoint& endpoint) {
  RawAddress raw;
  if (endpoint.family() == AF_INET) {
    raw.size = 4;
    std::memcpy(raw.bytes.data(), &reinterpret_cast<const sockaddr_in*>(endpoint.address())->sin_addr, 4);
  } else if (endpoint.family() == AF_INET6) {
    const in6_addr& v6 = reinterpret_cast<const sockaddr_in6*>(endpoint.address())->sin6_addr;
    raw.mapped = IN6_IS_ADDR_V4MAPPED(&v6);
    raw.size = raw.mapped ? 4 : 16;
    std::memcpy(raw.bytes.data(), v6.s6_addr + (raw.mapped ? 12 : 0), raw.size);
  }
  return raw;
}

// `bytes` with nothing behind the first `bits`.
std::array<Byte, 16> cut(std::array<Byte, 16> bytes, unsigned bits) {
  for (unsigned i = 0; i < bytes.size(); ++i) {
    if (i * 8 >= bits) {
      bytes[i] = 0;
    } else if (bits - i * 8 < 8) {
      bytes[i] = static_cast<Byte>(bytes[i] & (0xff00U >> (bits - i * 8)));
    }
  }
  return bytes;
}

}  // namespace

Result<AddressRange> AddressRange::parse(std::string_view text) {
  const auto wrong = [&](std::string_view why) {
    return Error{Reason::config_invalid, '"' + std::string(text.substr(0, 60)) + "\": " + std::string(why)};
  };
  const auto slash = text.find('/');
  const auto endpoint = Endpoint::parse_ip(text.substr(0, slash), 0);
  if (!endpoint.ok()) return wrong("an IP address or a range such as 192.0.2.0/24 expected");
  const RawAddress raw = raw_of(*endpoint);
  const unsigned skipped = raw.mapped ? 96 : 0;
  unsigned bits = raw.size * 8U + skipped;
  if (slash != std::string_view::npos) {
    const std::string_view number = text.substr(slash + 1);
    unsigned given = 0;
    const auto [end, problem] = std::from_chars(number.data(), number.data() + number.size(), given);
    const bool padded = number.size() > 1 && number.front() == '0';
    if (problem != std::errc() || end != number.data() + number.size() || padded || given > bits)
      return wrong("a prefix of 0 to " + std::to_string(bits) + " bits expected");
    if (given < skipped) return wrong("a range that holds IPv4 and IPv6 addresses; write two");
    bits = given;
  }
  AddressRange range;
  range.size_ = raw.size;
  range.bits_ = static_cast<std::uint8_t>(bits - skipped);
  range.prefix_ = cut(raw.bytes, range.bits_);
  if (range.prefix_ != raw.bytes) return wrong("bits are set behind the prefix");
  return range;
}

bool AddressRange::contains(const Endpoint& endpoint) const {
  const RawAddress raw = raw_of(endpoint);
  return raw.size == size_ && cut(raw.bytes, bits_) == prefix_;
}

Result<AddressRanges> AddressRanges::parse(const std::vector<std::string>& texts) {
  AddressRanges all;
  for (const std::string& text : texts) {
    TRY(const AddressRange range, AddressRange::parse(text));
    all.ranges_.push_back(range);
  }
  return all;
}

bool AddressRanges::contains(const Endpoint& endpoint) const {
  return std::ranges::any_of(ranges_, [&](const AddressRange& range) { return range.contains(endpoint); });
}

}  // namespace sallyport::net
