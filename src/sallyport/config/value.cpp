#include "sallyport/config/value.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>

namespace sallyport::config {

namespace {

struct Scale {
  std::string_view name;
  std::int64_t size;
};
// Largest first: that is the order in which a value is shown.
constexpr Scale duration_units[] = {{"d", 86'400'000'000'000},
                                    {"h", 3'600'000'000'000},
                                    {"m", 60'000'000'000},
                                    {"s", 1'000'000'000},
                                    {"ms", 1'000'000}};
constexpr Scale byte_units[] = {{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"", 1}};
constexpr Scale rate_units[] = {{"d", 86'400}, {"h", 3'600}, {"m", 60}, {"s", 1}};

// Digits with no sign and no needless zero in front, which elsewhere means octal.
std::optional<std::int64_t> parse_count(std::string_view digits) {
  if (digits.empty() || (digits.size() > 1 && digits[0] == '0') || digits[0] == '-') return std::nullopt;
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (error != std::errc() || end != digits.data() + digits.size()) return std::nullopt;
  return value;
}

template <std::size_t N>
std::optional<std::int64_t> parse_with_unit(std::string_view text, const Scale (&units)[N]) {
  const std::size_t split = std::min(text.find_first_not_of("0123456789"), text.size());
  const auto count = parse_count(text.substr(0, split));
  if (!count) return std::nullopt;
  for (const Scale& unit : units) {
    if (unit.name != text.substr(split)) continue;
    if (*count > std::numeric_limits<std::int64_t>::max() / unit.size) return std::nullopt;
    return *count * unit.size;
  }
  return std::nullopt;
}

template <std::size_t N>
std::string show_with_unit(std::int64_t value, const Scale (&units)[N]) {
  for (const Scale& unit : units)
    if (value % unit.size == 0 && value != 0) return std::to_string(value / unit.size) + std::string(unit.name);
  return std::to_string(value);
}

}  // namespace

std::optional<std::int64_t> parse_integer(std::string_view text) {
  if (!text.starts_with('-')) return parse_count(text);
  const auto count = parse_count(text.substr(1));
  if (!count || *count == 0) return std::nullopt;
  return -*count;
}

std::optional<std::chrono::nanoseconds> parse_duration(std::string_view text) {
  const auto value = parse_with_unit(text, duration_units);
  if (!value) return std::nullopt;
  return std::chrono::nanoseconds(*value);
}

std::optional<ByteSize> parse_byte_size(std::string_view text) {
  const auto value = parse_with_unit(text, byte_units);
  if (!value) return std::nullopt;
  return ByteSize{static_cast<std::uint64_t>(*value)};
}

std::optional<Rate> parse_rate(std::string_view text) {
  const std::size_t slash = text.find('/');
  if (slash == std::string_view::npos) return std::nullopt;
  const auto count = parse_count(text.substr(0, slash));
  if (!count || *count < 1 || *count > std::numeric_limits<std::uint32_t>::max()) return std::nullopt;
  for (const Scale& unit : rate_units)
    if (unit.name == text.substr(slash + 1))
      return Rate{static_cast<std::uint32_t>(*count), std::chrono::seconds(unit.size)};
  return std::nullopt;
}

std::optional<Address> parse_address(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  const auto port = parse_count(text.substr(colon + 1));
  if (!port || *port > 65535) return std::nullopt;
  std::string_view host = text.substr(0, colon);
  const bool bracketed = host.size() >= 2 && host.front() == '[' && host.back() == ']';
  if (bracketed) host = host.substr(1, host.size() - 2);
  Address out{std::string(host), static_cast<std::uint16_t>(*port)};
  std::array<unsigned char, sizeof(in6_addr)> binary{};
  // A host with a NUL inside would be read only up to it.
  if (out.host.find('\0') != std::string::npos) return std::nullopt;
  if (inet_pton(bracketed ? AF_INET6 : AF_INET, out.host.c_str(), binary.data()) != 1) return std::nullopt;
  return out;
}

std::string show(std::chrono::nanoseconds value) {
  if (value.count() == 0) return "0s";
  return show_with_unit(value.count(), duration_units);
}

std::string show(ByteSize value) { return show_with_unit(static_cast<std::int64_t>(value.bytes), byte_units); }

std::string show(Rate value) {
  for (const Scale& unit : rate_units)
    if (unit.size == value.per.count()) return std::to_string(value.count) + "/" + std::string(unit.name);
  return std::to_string(value.count) + "/" + std::to_string(value.per.count()) + "s";
}

std::string show(const Address& value) {
  if (value.host.empty()) return "";
  const std::string host = value.is_ipv6() ? "[" + value.host + "]" : value.host;
  return host + ":" + std::to_string(value.port);
}

}  // namespace sallyport::config
