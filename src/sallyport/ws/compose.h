#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "sallyport/base/bytes.h"
#include "sallyport/ws/frame.h"

/// Frames of the gateway's own, appended to `out` as they go over the wire.
/// Trust: with a `mask` the frame is a client's, and the mask must be random and new for each frame (RFC 6455 §5.3);
/// without, a server's.
namespace sallyport::ws {

void append_frame(std::string& out, Opcode opcode, Bytes payload, std::optional<Mask> mask = {});

/// A whole message whose `payload` was compressed (RFC 7692 §6.1).
void append_compressed(std::string& out, Opcode opcode, Bytes payload, std::optional<Mask> mask = {});

inline void append_text(std::string& out, std::string_view text, std::optional<Mask> mask = {}) {
  append_frame(out, Opcode::text, bytes_of(text), mask);
}

/// `payload` is at most 125 bytes.
inline void append_ping(std::string& out, Bytes payload, std::optional<Mask> mask = {}) {
  append_frame(out, Opcode::ping, payload, mask);
}
inline void append_pong(std::string& out, Bytes payload, std::optional<Mask> mask = {}) {
  append_frame(out, Opcode::pong, payload, mask);
}

/// A close frame. A code that may not be on the wire (no_status, abnormal) makes an empty one; a `reason` longer than
/// 123 bytes is cut between two characters.
void append_close(std::string& out, std::uint16_t code, std::string_view reason, std::optional<Mask> mask = {});

}  // namespace sallyport::ws
