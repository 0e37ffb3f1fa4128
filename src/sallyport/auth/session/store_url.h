#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "sallyport/base/result.h"

namespace sallyport::auth {

/// Where a server with sessions listens.
struct StoreUrl {
  enum class Kind : std::uint8_t { plain, tls, unix_socket };
  Kind kind = Kind::plain;
  std::string host;  ///< a name or an address, without brackets
  std::uint16_t port = 0;
  std::string socket_path;  ///< for unix_socket, absolute
  std::string user;         ///< empty: none given
  std::string database;     ///< what stands after the slash; may be empty

  /// Whether nobody can listen on the way: a unix socket, an address of this machine, `localhost`.
  bool stays_here() const;
  /// `127.0.0.1:6379`, `unix:/run/x.sock`: for operators, without the user.
  std::string place() const;
  bool operator==(const StoreUrl&) const = default;
};

/// The schemes of a kind of store.
struct StoreSchemes {
  std::span<const std::string_view> plain;
  std::string_view tls;  ///< empty: none
  std::uint16_t port;    ///< where the URL has none
};
extern const StoreSchemes redis_schemes;
extern const StoreSchemes postgres_schemes;
extern const StoreSchemes mysql_schemes;
extern const StoreSchemes memcached_schemes;

/// Reads `scheme://[user@]host[:port][/database]`, `unix:/socket` or `unix:/socket:/database`.
/// Errors: `config.invalid`, its detail written for whoever wrote the configuration; it never quotes the URL, which may hold a password
///         where none should be.
Result<StoreUrl> parse_store_url(std::string_view text, const StoreSchemes& schemes);

}  // namespace sallyport::auth
