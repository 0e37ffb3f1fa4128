#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "sallyport/base/bytes.h"
#include "sallyport/base/result.h"

namespace sallyport::ws {

/// Close codes of RFC 6455 §7.4.1 and the IANA registry that this code speaks of by name; the product's own are in the
/// Reason table.
namespace close_code {
inline constexpr std::uint16_t normal = 1000;
inline constexpr std::uint16_t going_away = 1001;
inline constexpr std::uint16_t protocol_error = 1002;
inline constexpr std::uint16_t no_status = 1005;  ///< stands for a close frame without a code; never on the wire
inline constexpr std::uint16_t abnormal =
    1006;  ///< stands for a connection lost without a close frame; never on the wire
inline constexpr std::uint16_t not_utf8 = 1007;
inline constexpr std::uint16_t policy_violation = 1008;
inline constexpr std::uint16_t too_big = 1009;
inline constexpr std::uint16_t internal_error = 1011;
}  // namespace close_code

/// The longest reason that fits a close frame beside its code (RFC 6455 §5.5).
inline constexpr std::size_t max_close_reason = 123;

/// True when a close frame may carry `code`.
/// Spec: RFC 6455 §7.4.2 and the IANA registry: 1000-1003, 1007-1014, 3000-4999; stricter: unregistered codes below
/// 3000 are refused.
constexpr bool is_valid_on_wire(std::uint16_t code) {
  return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) || (code >= 3000 && code <= 4999);
}

/// What a close frame says. No code means that the frame was empty.
struct CloseInfo {
  std::optional<std::uint16_t> code;
  std::string reason;
};

/// Reads the unmasked payload of a close frame.
/// Trust:  `payload` is hostile, and so is the reason in the result, except that it is UTF-8.
/// Errors: `frame.malformed` for a payload of one byte, one beyond 125 bytes or a code that may not be on the wire,
///         `message.not_utf8` for the reason text; nothing else.
/// Spec:   RFC 6455 §5.5.1, §7.4.
Result<CloseInfo> parse_close_payload(Bytes payload);

}  // namespace sallyport::ws
