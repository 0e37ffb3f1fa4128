#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sallyport/base/result.h"
#include "sallyport/http/authority.h"
#include "sallyport/http/deflate.h"
#include "sallyport/http/headers.h"
#include "sallyport/http/upgrade.h"

namespace sallyport::http {

/// What must not reach the backend: the credentials of the route, above all.
struct Strip {
  /// Field names, such as `Authorization`; a twin that a CGI-style backend reads as the same name goes too.
  std::vector<std::string> headers;
  /// Cookie names.
  std::vector<std::string> cookies;
  /// Query parameter names, compared decoded.
  std::vector<std::string> parameters;
  /// Subprotocols, such as `sallyport.v1`.
  std::vector<std::string> subprotocols;
  /// Starts of subprotocols, such as `bearer.`, compared without regard to case.
  std::vector<std::string> subprotocol_prefixes;
};

enum class HostField : std::uint8_t {
  kept,      ///< the client's host, normalised
  replaced,  ///< ForwardOptions::upstream_host
};

struct ForwardOptions {
  /// Our own Sec-WebSocket-Key: base64 of 16 random bytes.
  std::string key;
  HostField host = HostField::kept;
  /// UpstreamUrl::host_text().
  std::string upstream_host;
  /// Takes the place of the client's path; the query stays.
  std::optional<std::string> path;
  /// The peer's IP address as inet_ntop writes it; empty when it has none.
  std::string client_address;
  /// The scheme the client sees, for X-Forwarded-Proto.
  Scheme client_scheme = Scheme::https;
  /// What is offered of permessage-deflate; no other extension ever is.
  std::vector<DeflateParameters> deflate;
  Strip strip;
  /// Written last. A field of the client that has one of these names, or a twin of it, is dropped.
  Headers added;
};

struct UpstreamRequest {
  std::string text;
  /// What was offered, for parse_switching.
  std::vector<std::string> subprotocols;
};

/// Whether a configured name may be added to every handshake for the backend.
/// Errors: `config.invalid` for what is no field name, and for names that belong to the handshake, to one hop, or to
/// the
///         address fields written here.
Result<void> check_added_name(std::string_view name);

/// The handshake for the backend. Its path and query are those that were routed on; host, handshake and address fields
/// are written here and never copied. Of the client's fields are dropped: hop-by-hop ones and those that Connection
/// names (which cannot touch what is written here), extensions offered, every X-Sallyport-*, X-Forwarded-*, Forwarded
/// and the usual names by which proxies tell a backend who the user or what the address or the URL is, and what
/// `options.strip` names.
/// Trust:  `upgrade` is hostile; `options.added` may quote claims.
/// Errors: `internal.bug` when a value of `options` cannot stand in a head (a control byte in a claim, say) or a name
///         fails check_added_name; nothing else.
/// Spec:   RFC 9110 §7.6.1, RFC 6455 §4.1, RFC 7239; stricter: address fields are replaced, never appended to.
Result<UpstreamRequest> make_upstream_request(const Upgrade& upgrade, const ForwardOptions& options);

}  // namespace sallyport::http
