#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "sallyport/base/result.h"
#include "sallyport/http/authority.h"

namespace sallyport::http {

/// Where a backend listens.
struct UpstreamUrl {
  enum class Kind : std::uint8_t { tcp, tls, unix_socket };
  Kind kind = Kind::tcp;
  /// For tcp and tls; the port is always known.
  Authority authority;
  /// For unix_socket, absolute.
  std::string socket_path;
  /// In its only spelling; empty when the URL has none, which leaves the client's path as it is.
  std::string path;

  /// What a Host line names: without the default port, `localhost` for a unix socket.
  std::string host_text() const;
  bool operator==(const UpstreamUrl&) const = default;
};

/// Reads `ws://host[:port][/path]`, `wss://…`, `unix:/socket` or `unix:/socket:/path`.
/// Errors: `config.invalid`, its detail written for whoever wrote the configuration.
Result<UpstreamUrl> parse_upstream_url(std::string_view text);

/// Where a document is fetched from, such as a key set.
struct HttpUrl {
  Scheme scheme = Scheme::https;
  /// The port is always known.
  Authority authority;
  /// Path and query, starting with a slash.
  std::string target;

  /// The whole URL again, normalised.
  std::string text() const;
  bool operator==(const HttpUrl&) const = default;
};

/// Reads `https://host[:port]/path[?query]` or the same with http.
/// Errors: `config.invalid`, its detail written for whoever wrote the configuration.
Result<HttpUrl> parse_http_url(std::string_view text);

}  // namespace sallyport::http
