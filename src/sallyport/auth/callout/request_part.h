#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "sallyport/auth/authenticator.h"
#include "sallyport/base/secret.h"

namespace sallyport::auth {

/// A part of a request that a service is shown.
struct RequestPart {
  enum class Kind : std::uint8_t { header, cookie, parameter, subprotocol };
  Kind kind = Kind::header;
  std::string name;  ///< as configured; empty for `subprotocol`

  bool operator==(const RequestPart&) const = default;
};

/// Reads `header:NAME`, `cookie:NAME`, `query:NAME` or `subprotocol`.
/// Errors: `config.invalid`, its detail written for whoever wrote the configuration; also for header fields that belong to the handshake,
///         to one hop or to the message itself, and for Cookie, whose parts have names of their own.
Result<RequestPart> parse_request_part(std::string_view text);
/// All of `texts`. Errors: `config.invalid` also for one named twice.
Result<std::vector<RequestPart>> parse_request_parts(std::span<const std::string> texts);
std::string show(const RequestPart& place);

/// What was found at a place.
struct ShownPart {
  RequestPart place;
  Secret value;
};

/// What the request of `evidence` has at `places`; of what came in band, the token alone, as if it stood in an Authorization line.
/// A `subprotocol` becomes an Authorization line as well: the service need not know how a browser has to send it.
/// Trust:  `evidence` is hostile.
/// Errors: `credential.ambiguous` for two at one place, or two Authorization lines by different ways; `origin.missing` for a cookie without
///         an Origin; `credential.invalid` for bytes beyond ASCII and for what Cookies::find() or find_token() refuses.
Result<std::vector<ShownPart>> find_credentials(const Evidence& evidence, std::span<const RequestPart> places);

/// What the request has at `places`, for the service to see. Several lines of one field are joined; what is ambiguous or unreadable is
/// left out, for no proof depends on it.
std::vector<ShownPart> find_shown(const Evidence& evidence, std::span<const RequestPart> places);

}  // namespace sallyport::auth
