#include "sallyport/ws/frame.h"

#include <cstring>

namespace sallyport::ws {
namespace {

Error malformed(const char* what) { return Error{Reason::frame_malformed, what}; }

std::uint64_t big_endian(Bytes bytes) {
  std::uint64_t value = 0;
  for (const Byte byte : bytes) value = value << 8 | byte;
  return value;
}

}  // namespace

Result<std::optional<FrameHeader>> parse_header(Bytes bytes, Role from, Extension agreed) {
  if (bytes.empty()) return std::optional<FrameHeader>();
  FrameHeader header;
  header.fin = (bytes[0] & 0x80) != 0;
  if ((bytes[0] & 0x70) != 0) {
    const bool message_start = (bytes[0] & 0x0f) == 1 || (bytes[0] & 0x0f) == 2;
    if ((bytes[0] & 0x30) != 0 || agreed != Extension::deflate || !message_start)
      return malformed("reserved bit set without an extension");
    header.compressed = true;
  }
  const Byte opcode = bytes[0] & 0x0f;
  if (opcode > 10 || (opcode > 2 && opcode < 8)) return malformed("reserved opcode");
  header.opcode = static_cast<Opcode>(opcode);
  const bool control = is_control(header.opcode);
  if (control && !header.fin) return malformed("fragmented control frame");
  if (bytes.size() < 2) return std::optional<FrameHeader>();

  header.masked = (bytes[1] & 0x80) != 0;
  if (header.masked != (from == Role::client)) {
    return malformed(from == Role::client ? "client frame without a mask" : "server frame with a mask");
  }
  const Byte short_length = bytes[1] & 0x7f;
  if (control && short_length > max_control_payload) return malformed("control payload over 125 bytes");
  const std::size_t length_bytes = short_length < 126 ? 0 : short_length == 126 ? 2 : 8;
  if (bytes.size() < 2 + length_bytes) return std::optional<FrameHeader>();
  if (length_bytes == 0) {
    header.payload_length = short_length;
  } else {
    header.payload_length = big_endian(bytes.subspan(2, length_bytes));
    if (header.payload_length >> 63 != 0) return malformed("payload length of 2^63 or more");
    if (header.payload_length < (length_bytes == 2 ? 126u : 65536u))
      return malformed("payload length not in minimal form");
  }

  const std::size_t total = 2 + length_bytes + (header.masked ? 4 : 0);
  if (bytes.size() < total) return std::optional<FrameHeader>();
  if (header.masked) std::memcpy(header.mask.data(), bytes.data() + total - 4, 4);
  header.header_length = static_cast<std::uint8_t>(total);
  return std::optional<FrameHeader>(header);
}

std::size_t write_header(std::span<Byte, max_header_length> out, const FrameHeader& header) {
  const std::uint64_t length = header.payload_length;
  SALLYPORT_CHECK(length >> 63 == 0);
  const std::size_t length_bytes = length < 126 ? 0 : length < 65536 ? 2 : 8;
  const auto short_length = static_cast<Byte>(length_bytes == 0 ? length : length_bytes == 2 ? 126 : 127);
  out[0] =
      static_cast<Byte>((header.fin ? 0x80 : 0) | (header.compressed ? 0x40 : 0) | static_cast<Byte>(header.opcode));
  out[1] = static_cast<Byte>((header.masked ? 0x80 : 0) | short_length);
  std::size_t at = 2;
  for (std::size_t left = length_bytes; left > 0; --left) out[at++] = static_cast<Byte>(length >> (8 * (left - 1)));
  if (header.masked) {
    std::memcpy(out.data() + at, header.mask.data(), header.mask.size());
    at += header.mask.size();
  }
  return at;
}

void unmask(Bytes from, MutableBytes to, Mask mask, std::uint64_t offset) {
  SALLYPORT_CHECK(to.size() >= from.size());
  const std::array<Byte, 8> key = mask_word(mask, offset);
  std::uint64_t word_key;
  std::memcpy(&word_key, key.data(), sizeof(word_key));
  const Byte* source = from.data();
  Byte* target = to.data();
  std::size_t left = from.size();
  // All loads of a block stand before its stores, so the compiler may use vectors although the two may be the same
  // memory.
  for (; left >= 64; left -= 64, source += 64, target += 64) {
    std::uint64_t words[8];
    std::memcpy(words, source, sizeof(words));
    for (std::uint64_t& word : words) word ^= word_key;
    std::memcpy(target, words, sizeof(words));
  }
  for (; left >= 8; left -= 8, source += 8, target += 8) {
    std::uint64_t word;
    std::memcpy(&word, source, sizeof(word));
    word ^= word_key;
    std::memcpy(target, &word, sizeof(word));
  }
  for (std::size_t i = 0; i < left; ++i) target[i] = source[i] ^ key[i];
}

}  // namespace sallyport::ws
