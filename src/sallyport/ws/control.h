#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "sallyport/base/bytes.h"
#include "sallyport/base/json.h"
#include "sallyport/base/reason.h"
#include "sallyport/base/result.h"
#include "sallyport/base/secret.h"

/// The control channel inside the socket: texts of the form {"$sallyport":{"op":...}} that are between a client and the
/// gateway and never reach the backend.
namespace sallyport::ws {

/// True when the unmasked text `payload` is the gateway's: a JSON object whose first member is named "$sallyport",
/// however that name is spelled with escapes. Whether the rest is sound is for parse_control to say, so a text that
/// only looks like the gateway's is refused there and not passed on. Costs a look at the first bytes.
/// Trust: `payload` is hostile.
/// Spec:  stricter than RFC 8259 in what it claims: an escape JSON does not know stands for the character behind the backslash.
bool is_control_text(Bytes payload);

/// True when a client might take the unmasked text `payload` for a notice of the gateway: a JSON object that has a member
/// named "$sallyport" in any place, for a program asks its parsed message for the member and not for its place. Includes
/// all that is_control_text() claims of well-formed objects. Costs a search for the name, and a walk over the text where
/// it might occur.
/// Trust: `payload` is hostile.
bool may_pass_for_notice(Bytes payload);

struct ControlRequest {
  enum class Op : std::uint8_t { authenticate, refresh };
  Op op;
  Secret token;  ///< never empty
};

/// Reads what a client asks of the gateway.
/// Trust:  `payload` is hostile, and the token in the result is not verified.
/// Errors: `control.malformed`, also for an op that is not known, a member too many, and a repeated name; nothing else.
Result<ControlRequest> parse_control(Bytes payload);

/// Texts that the gateway sends. Units: `expires_at` in seconds since 1970.
/// `session` is a credential; empty: none was given.
std::string ready_notice(std::string_view connection, std::string_view subject, std::optional<std::int64_t> expires_at,
                         std::string_view session = {});
/// For a socket that waits until somebody vouches for it with `code`.
std::string bind_notice(std::string_view code, std::chrono::milliseconds within);
std::string expiring_notice(std::int64_t expires_at);
std::string refreshed_notice(std::optional<std::int64_t> expires_at);
/// `id` is the one of the message that was denied, as its protocol has it; absent when it has none.
std::string denied_notice(Reason reason, const std::optional<json::Value>& id);

}  // namespace sallyport::ws
