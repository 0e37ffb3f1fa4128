#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "sallyport/base/bytes.h"
#include "sallyport/base/result.h"

namespace sallyport::ws {

/// The two ends of a WebSocket: a client masks what it sends, a server does not.
enum class Role : std::uint8_t { client, server };

enum class Opcode : std::uint8_t { continuation = 0, text = 1, binary = 2, close = 8, ping = 9, pong = 10 };

/// What was agreed on beyond RFC 6455 with the one who sends.
enum class Extension : std::uint8_t { none, deflate };

constexpr bool is_control(Opcode opcode) { return static_cast<std::uint8_t>(opcode) >= 8; }

/// The masking key of a frame, in wire order.
using Mask = std::array<Byte, 4>;

inline constexpr std::size_t max_header_length = 14;
inline constexpr std::size_t max_control_payload = 125;

struct FrameHeader {
  bool fin = true;
  bool masked = false;
  bool compressed = false;  ///< RSV1, at the start of a message only (RFC 7692 §6)
  Opcode opcode = Opcode::binary;
  std::uint8_t header_length = 0;  ///< as parsed; write_header chooses its own
  Mask mask{};                     ///< all zero when not masked
  std::uint64_t payload_length = 0;

  bool operator==(const FrameHeader&) const = default;
};

/// Reads the header at the front of `bytes`, sent by a peer of role `from`; nullopt while it is incomplete and what is
/// there is not yet wrong. What needs the frames before it (a continuation without a start) is Assembler's to see.
/// Trust:  `bytes` is hostile.
/// Errors: `frame.malformed`; nothing else.
/// Spec:   RFC 6455 §5.2, §5.3, §5.5: reserved bits are zero, opcodes known, control frames final and at most 125 bytes, lengths in minimal
///         form and below 2^63, masked exactly when `from` is a client. With deflate `agreed`, RSV1 on text and binary frames (RFC 7692 §6).
Result<std::optional<FrameHeader>> parse_header(Bytes bytes, Role from, Extension agreed = Extension::none);

/// Writes `header` in minimal form to the front of `out` and returns its length.
std::size_t write_header(std::span<Byte, max_header_length> out, const FrameHeader& header);

/// Applies `mask` to `from` and writes the result to `to`, where `from` begins at payload position `offset`. Masks and
/// unmasks alike (RFC 6455 §5.3). `to` is at least as long as `from`.
/// Lifetime: `to` is the same memory as `from` or does not overlap it.
void unmask(Bytes from, MutableBytes to, Mask mask, std::uint64_t offset = 0);

/// `mask` as it stands at payload position `offset`, twice, so that it lies over eight bytes there.
constexpr std::array<Byte, 8> mask_word(Mask mask, std::uint64_t offset) {
  std::array<Byte, 8> word{};
  for (std::size_t i = 0; i < word.size(); ++i) word[i] = mask[(offset + i) % 4];
  return word;
}

}  // namespace sallyport::ws
