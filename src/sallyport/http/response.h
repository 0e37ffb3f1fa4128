#pragma once

#include <chrono>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "sallyport/base/bytes.h"
#include "sallyport/base/result.h"
#include "sallyport/http/deflate.h"
#include "sallyport/http/head.h"
#include "sallyport/http/headers.h"

namespace sallyport::http {

/// An answer, before it has the form of a transport.
struct Response {
  int status;
  Headers fields;
  std::string body;
};

/// The whole text of a response in HTTP/1.1, closing the connection after it. `Connection: close` and `Content-Length` are added here.
/// Errors: fields that could break the head are a bug and throw BugError.
/// Spec:   RFC 9110 §7.8: an Upgrade field is named in Connection.
std::string response_text(const Response& response);

/// What a refusal may say beyond its reason.
/// Units: `retry_after` in seconds, sent with 429 and 503.
struct RefusalOptions {
  std::chrono::seconds retry_after{1};
  /// Sent with 405.
  std::string_view allow = "GET";
  Headers fields;
};

/// The answer to a peer that was turned away before the 101: status and text of the reason's row, and whatever field
/// the status calls for. All 401 say the same; those for a credential that was presented are equal byte for byte, so
/// nobody learns whether it was forged, expired, revoked or unknown.
/// Spec: RFC 6750 §3; stricter: `invalid_token` is the only error ever named, without a description. RFC 6455 §4.2.2
///       for 426.
Response make_refusal(Reason reason, const RefusalOptions& options = {});

/// The 101 that opens the tunnel.
/// Spec: RFC 6455 §4.2.2; permessage-deflate is the only extension ever agreed to.
std::string make_switching(std::string_view accept_key, std::optional<std::string_view> subprotocol,
                           const std::optional<DeflateParameters>& deflate = {});

/// What our handshake offered to a backend. Lifetime: views.
struct Offered {
  std::span<const std::string> subprotocols;
  std::span<const DeflateParameters> deflate;
};

/// A backend's 101.
struct Switching {
  std::optional<std::string> subprotocol;
  std::optional<DeflateParameters> deflate;
  /// Bytes of `received` that the head took; what follows are frames.
  std::size_t consumed = 0;
};

/// Reads a backend's answer to our handshake, or nothing when `received` does not hold all of its head yet: call again
/// with the longer view and the same `progress`. Anything but the one right 101 is an error; a wrong status is one as
/// soon as its line is complete, and nothing of the answer but the status gets into the detail.
/// Trust:  `received` is hostile. `offered` is what our request offered.
/// Errors: `upstream.refused` for another status; `upstream.protocol` for everything else.
/// Spec:   RFC 6455 §4.1. Stricter: only HTTP/1.1; Upgrade and Sec-WebSocket-Accept exactly once; no Transfer-Encoding, no Content-Length but 0.
Result<std::optional<Switching>> parse_switching(Bytes received, HeadProgress& progress,
                                                 std::string_view expected_accept, const Offered& offered,
                                                 const Limits& limits = {});

}  // namespace sallyport::http
