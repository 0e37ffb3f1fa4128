#pragma once

#include <chrono>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

/// The types of settings that C++ has no type for, and their text forms.
namespace sallyport::config {

/// A number of bytes. Text: `64KiB`, `1MiB`, `2GiB`, or a plain number of bytes.
struct ByteSize {
  std::uint64_t bytes = 0;
  auto operator<=>(const ByteSize&) const = default;
};
constexpr ByteSize kib(std::uint64_t count) { return {count << 10U}; }
constexpr ByteSize mib(std::uint64_t count) { return {count << 20U}; }

/// So many in such a time. Text: `100/s`, `600/m`, `10/h`, `5/d`.
struct Rate {
  std::uint32_t count = 0;
  std::chrono::seconds per{1};
  bool operator==(const Rate&) const = default;
};

/// An IP address and a port. Text: `0.0.0.0:8443`, `[::1]:8443`. Port 0 asks the system for any free one.
struct Address {
  std::string host;  ///< an IPv4 or IPv6 address without brackets; never a name
  std::uint16_t port = 0;
  bool operator==(const Address&) const = default;
  bool is_ipv6() const { return host.find(':') != std::string::npos; }
};

/// A file. A relative path is resolved against the folder of the configuration file when it is read; whether it exists
/// is for the one who opens it to find out.
struct FilePath {
  std::string path;
  bool empty() const { return path.empty(); }
  bool operator==(const FilePath&) const = default;
};

/// Where a secret is to be had, never the secret itself. A field called `token` is written `token_file: PATH` or
/// `token: env:NAME`. `load_secret` fetches it.
struct SecretSource {
  enum class Kind : std::uint8_t { none, file, environment };
  Kind kind = Kind::none;
  std::string where;  ///< the resolved path of the file, or the name of the variable
  bool empty() const { return kind == Kind::none; }
  bool operator==(const SecretSource&) const = default;
};

/// Each reads the whole of `text`, or yields nothing.
/// Trust: `text` is hostile.
/// Units: durations are a whole number with ms, s, m, h or d.
std::optional<std::chrono::nanoseconds> parse_duration(std::string_view text);
std::optional<ByteSize> parse_byte_size(std::string_view text);
std::optional<Rate> parse_rate(std::string_view text);
std::optional<Address> parse_address(std::string_view text);
std::optional<std::int64_t> parse_integer(std::string_view text);

/// The shortest text that reads back as the same value.
std::string show(std::chrono::nanoseconds value);
std::string show(ByteSize value);
std::string show(Rate value);
std::string show(const Address& value);

}  // namespace sallyport::config
