#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "sallyport/base/result.h"
#include "sallyport/http/headers.h"

/// The negotiation of permessage-deflate (RFC 7692 §5, §7.1) in Sec-WebSocket-Extensions. What is done with the
/// agreement is no concern of this file.
namespace sallyport::http {

/// The parameters of one permessage-deflate element, an offer or an answer. Absent ones promise nothing.
/// Units: window bits from 8 to 15; a `client_max_window_bits` without a value, which an offer may have, is 15.
struct DeflateParameters {
  bool server_no_context_takeover = false;
  bool client_no_context_takeover = false;
  std::optional<std::uint8_t> server_max_window_bits;
  std::optional<std::uint8_t> client_max_window_bits;

  bool operator==(const DeflateParameters&) const = default;
};

/// What one side of the gateway agrees to.
struct DeflatePolicy {
  enum class Takeover : std::uint8_t { refused, allowed };
  Takeover takeover = Takeover::refused;
  /// The largest window kept between messages, and the largest compressed with. From 9 to 15: zlib compresses with no
  /// window of 8.
  std::uint8_t window_bits = 15;
};

/// The permessage-deflate offers of a client in its order; those that RFC 7692 §7 wants declined, and other
/// extensions, are left out.
/// Trust:  `headers` is hostile.
/// Errors: `http.malformed` when a Sec-WebSocket-Extensions line breaks the grammar of RFC 6455 §9.1, or holds more
///         than 32 elements.
Result<std::vector<DeflateParameters>> parse_deflate_offers(const Headers& headers);

/// The answer to the first offer that `policy` can serve; nothing when there is none.
/// Trust: `offers` are a client's, as parse_deflate_offers() read them.
/// Spec:  RFC 7692 §7.1. A client's window that it will not limit to `policy.window_bits` is not kept between messages; a server's of 8 is declined.
std::optional<DeflateParameters> answer_deflate(std::span<const DeflateParameters> offers, const DeflatePolicy& policy);

/// What the gateway offers to a backend.
DeflateParameters offer_deflate(const DeflatePolicy& policy);

/// Reads what a backend answered to `offers`; nothing when it agreed to no extension.
/// Trust:  `headers` is hostile.
/// Errors: `upstream.protocol` for anything but one well-formed answer that fits one of the offers.
/// Spec:   RFC 6455 §4.1, RFC 7692 §5, §7.1.
Result<std::optional<DeflateParameters>> parse_deflate_answer(const Headers& headers,
                                                              std::span<const DeflateParameters> offers);

/// `offers` as they stand in a request: a client's window of 15 bits has no value there.
std::string offer_text(std::span<const DeflateParameters> offers);
std::string answer_text(const DeflateParameters& answer);  ///< as it stands in an answer, each window with its value

}  // namespace sallyport::http
