#pragma once

#include <openssl/evp.h>

#include <array>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

/// The little of RFC 6455 that a load generator and an echo need, written apart from the product so that a mistake in
/// one is not repeated by the other.
namespace sallyport::bench {

inline constexpr std::string_view accept_suffix = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// The Sec-WebSocket-Accept that answers `key` (§4.2.2).
inline std::string accept_for(std::string_view key) {
  const std::string text = std::string(key) + std::string(accept_suffix);
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest;
  unsigned int size = 0;
  EVP_Digest(text.data(), text.size(), digest.data(), &size, EVP_sha1(), nullptr);
  std::array<unsigned char, 64> encoded;
  const int length = EVP_EncodeBlock(encoded.data(), digest.data(), static_cast<int>(size));
  return std::string(reinterpret_cast<const char*>(encoded.data()), static_cast<std::size_t>(length));
}

enum class Opcode : unsigned char { text = 1, binary = 2, close = 8, ping = 9, pong = 10 };

using Mask = std::array<char, 4>;

struct Frame {
  Opcode opcode{};
  bool masked = false;
  Mask mask{};
  std::size_t header = 0;
  std::size_t payload = 0;
  std::size_t size() const { return header + payload; }
};

enum class Read { whole, part, malformed };

/// Reads the header at the front of `bytes`; `whole` when its payload is there as well. With `part`, `frame.size()` is
/// the least that is needed. Fragments and extensions are malformed: nobody here sends them.
inline Read read_frame(std::string_view bytes, Frame& frame) {
  frame = {.header = 2};
  if (bytes.size() < 2) return Read::part;
  const auto byte = [&](std::size_t at) { return static_cast<unsigned char>(bytes[at]); };
  if ((byte(0) & 0xF0) != 0x80) return Read::malformed;
  frame.opcode = static_cast<Opcode>(byte(0) & 0x0F);
  frame.masked = (byte(1) & 0x80) != 0;
  std::size_t length = byte(1) & 0x7F;
  const std::size_t extended = length == 126 ? 2 : length == 127 ? 8 : 0;
  frame.header = 2 + extended + (frame.masked ? 4 : 0);
  if (bytes.size() < frame.header) return Read::part;
  if (extended > 0) {
    length = 0;
    for (std::size_t i = 0; i < extended; ++i) length = length << 8 | byte(2 + i);
  }
  if (length > (std::size_t{1} << 30)) return Read::malformed;
  frame.payload = length;
  if (frame.masked) std::memcpy(frame.mask.data(), bytes.data() + 2 + extended, 4);
  return bytes.size() < frame.size() ? Read::part : Read::whole;
}

/// Applies `mask` to `size` bytes at `data`, eight at a time.
inline void apply_mask(char* data, std::size_t size, Mask mask) {
  std::uint32_t half = 0;
  std::memcpy(&half, mask.data(), 4);
  const std::uint64_t whole = std::uint64_t{half} << 32 | half;
  std::size_t at = 0;
  for (; at + 8 <= size; at += 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, data + at, 8);
    word ^= whole;
    std::memcpy(data + at, &word, 8);
  }
  for (; at < size; ++at) data[at] = static_cast<char>(data[at] ^ mask[at % 4]);
}

inline void append_header(std::string& out, Opcode opcode, std::size_t payload, unsigned char mask_bit) {
  out.push_back(static_cast<char>(0x80 | static_cast<unsigned char>(opcode)));
  if (payload < 126) {
    out.push_back(static_cast<char>(mask_bit | payload));
    return;
  }
  const int extended = payload < 65536 ? 2 : 8;
  out.push_back(static_cast<char>(mask_bit | (extended == 2 ? 126 : 127)));
  for (int i = extended - 1; i >= 0; --i) out.push_back(static_cast<char>(payload >> (8 * i)));
}

/// A server's frame.
inline void append_frame(std::string& out, Opcode opcode, std::string_view payload) {
  append_header(out, opcode, payload.size(), 0);
  out += payload;
}

/// A client's frame.
inline void append_masked(std::string& out, Opcode opcode, std::string_view payload, Mask mask) {
  append_header(out, opcode, payload.size(), 0x80);
  out.append(mask.data(), mask.size());
  const std::size_t at = out.size();
  out += payload;
  apply_mask(out.data() + at, payload.size(), mask);
}

}  // namespace sallyport::bench
