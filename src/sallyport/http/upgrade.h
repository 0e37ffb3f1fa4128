#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sallyport/base/result.h"
#include "sallyport/http/request.h"

namespace sallyport::http {

/// A valid WebSocket opening handshake, its host and path normalised once; a value. Made only by parse_upgrade.
class Upgrade {
 public:
  const Request& request() const { return request_; }
  Scheme scheme() const { return request_.scheme(); }
  const Authority& authority() const { return request_.authority(); }
  const std::string& host() const { return request_.host(); }
  const std::string& path() const { return request_.path(); }
  const Query& query() const { return request_.query(); }
  const Headers& headers() const { return request_.headers(); }
  /// The client's Sec-WebSocket-Key; see accept_key(). Empty in HTTP/2, which has none.
  std::string_view key() const { return headers().find("sec-websocket-key").value_or(std::string_view()); }
  /// The raw Origin, unproven until an OriginPolicy has checked it; nothing when it is absent.
  std::optional<std::string_view> origin() const { return headers().find("origin"); }
  std::optional<std::string_view> sec_fetch_site() const { return headers().find("sec-fetch-site"); }
  /// In the order of preference of the client; each once.
  const std::vector<std::string>& subprotocols() const { return subprotocols_; }
  /// The raw Sec-WebSocket-Extensions lines; hostile, nothing in them was checked.
  std::vector<std::string_view> extensions_offer() const { return headers().find_all("sec-websocket-extensions"); }
  /// Lifetime: views into this Upgrade.
  Cookies cookies() const { return request_.cookies(); }

 private:
  friend Result<Upgrade> parse_upgrade(Request request);
  explicit Upgrade(Request request) : request_(std::move(request)) {}
  Request request_;
  std::vector<std::string> subprotocols_;
};

/// Reads a request as an opening handshake.
/// Trust:  `request` is hostile.
/// Errors: `http.method_not_allowed` unless GET; `http.upgrade_required` when Upgrade lacks `websocket`, Connection
///         lacks `upgrade`, or Sec-WebSocket-Version is not `13`, once; `http.malformed` for a bad key, a bad list or a
///         body. In HTTP/2: `http.upgrade_required` for a GET or another version, `http.method_not_allowed` for other methods than
///         CONNECT, `http.unsupported` for another `:protocol`, `http.malformed` for a key, a bad list or a body.
/// Spec:   RFC 6455 §4.2.1, RFC 8441 §5. Stricter: the key must be canonical base64 (RFC 4648 §3.5), subprotocols must be distinct
///         tokens, at most 64, a Content-Length may only be 0.
Result<Upgrade> parse_upgrade(Request request);

/// Those that Sec-WebSocket-Protocol offers, in their order.
/// Trust:  `headers` is hostile.
/// Errors: `http.malformed` unless they are distinct tokens, at most 64.
Result<std::vector<std::string>> parse_subprotocols(const Headers& headers);

/// True for the canonical base64 of exactly 16 bytes.
bool is_websocket_key(std::string_view text);

/// The Sec-WebSocket-Accept that answers `key`.
/// Spec: RFC 6455 §4.2.2, step 5.
std::string accept_key(std::string_view key);

}  // namespace sallyport::http
