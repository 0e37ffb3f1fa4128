#pragma once

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "sallyport/net/socket.h"

namespace sallyport::net {

/// The addresses that share a prefix (CIDR, RFC 4632, RFC 4291 §2.3). A value. IPv4 and IPv6 are strangers to each other: `::/0` holds
/// no IPv4 address, and an IPv4-mapped one is the IPv4 address that it maps, here and in what is asked about.
class AddressRange {
 public:
  /// Reads `192.0.2.0/24`, `2001:db8::/32`, or a single address.
  /// Errors: `config.invalid` for anything else, and for bits behind the prefix: whoever writes them means another range.
  static Result<AddressRange> parse(std::string_view text);

  /// False for what is no IP address.
  bool contains(const Endpoint& endpoint) const;
  bool operator==(const AddressRange&) const = default;

 private:
  std::array<Byte, 16> prefix_{};
  std::uint8_t size_ = 4;  // 4 or 16
  std::uint8_t bits_ = 0;
};

/// Any number of them.
class AddressRanges {
 public:
  /// Errors: `config.invalid`, as AddressRange::parse().
  static Result<AddressRanges> parse(const std::vector<std::string>& texts);
  bool contains(const Endpoint& endpoint) const;
  bool empty() const { return ranges_.empty(); }

 private:
  std::vector<AddressRange> ranges_;
};

}  // namespace sallyport::net
