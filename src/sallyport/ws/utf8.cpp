// A finite automaton whose transition table is one 64-bit word per byte value: the state is a bit position in the word,
// and what stands there is the next state. So a step is a load and a shift, without a branch.
#include "sallyport/ws/utf8.h"

#include <simdjson.h>

#include <algorithm>
#include <array>
#include <cstring>

namespace sallyport::ws {
namespace {

// States by what may follow. 6 bits each.
constexpr unsigned accept = 0;
constexpr unsigned tail1 = 6;      // one continuation byte
constexpr unsigned tail2 = 12;     // two
constexpr unsigned tail3 = 18;     // three
constexpr unsigned after_e0 = 24;  // A0..BF first: shorter forms exist below
constexpr unsigned after_ed = 30;  // 80..9F first: surrogates above
constexpr unsigned after_f0 = 36;  // 90..BF first: shorter forms exist below
constexpr unsigned after_f4 = 42;  // 80..8F first: beyond U+10FFFF above
constexpr unsigned reject = 48;

constexpr unsigned step(unsigned state, unsigned byte) {
  const bool continuation = byte >= 0x80 && byte <= 0xbf;
  switch (state) {
    case accept:
      if (byte < 0x80) return accept;
      if (byte >= 0xc2 && byte <= 0xdf) return tail1;
      if (byte == 0xe0) return after_e0;
      if (byte == 0xed) return after_ed;
      if (byte >= 0xe1 && byte <= 0xef) return tail2;
      if (byte == 0xf0) return after_f0;
      if (byte >= 0xf1 && byte <= 0xf3) return tail3;
      if (byte == 0xf4) return after_f4;
      return reject;
    case tail1:
      return continuation ? accept : reject;
    case tail2:
      return continuation ? tail1 : reject;
    case tail3:
      return continuation ? tail2 : reject;
    case after_e0:
      return byte >= 0xa0 && byte <= 0xbf ? tail1 : reject;
    case after_ed:
      return byte >= 0x80 && byte <= 0x9f ? tail1 : reject;
    case after_f0:
      return byte >= 0x90 && byte <= 0xbf ? tail2 : reject;
    case after_f4:
      return byte >= 0x80 && byte <= 0x8f ? tail2 : reject;
    default:
      return reject;
  }
}

constexpr std::array<std::uint64_t, 256> make_table() {
  std::array<std::uint64_t, 256> table{};
  for (unsigned byte = 0; byte < 256; ++byte) {
    for (unsigned state = accept; state <= reject; state += 6) {
      table[byte] |= static_cast<std::uint64_t>(step(state, byte)) << state;
    }
  }
  return table;
}

constexpr std::array<std::uint64_t, 256> table = make_table();
constexpr std::uint64_t high_bits = 0x8080808080808080;

// What is not ASCII is judged by vector instructions when there is enough of it, so many bytes at a time.
constexpr std::size_t least_wide = 256;
constexpr std::size_t most_wide = 4096;

/// The length of `text` without a character that may be unfinished at its end.
std::size_t whole_characters(Bytes text) {
  for (std::size_t back = 1; back <= 3; ++back) {
    const Byte byte = text[text.size() - back];
    if (byte < 0x80) break;
    if (byte >= 0xc0) return text.size() - back;
  }
  return text.size();
}

}  // namespace

bool Utf8Validator::add_masked(Bytes piece, Mask mask, std::uint64_t offset) {
  const std::array<Byte, 8> key = mask_word(mask, offset);
  std::uint64_t word_key;
  std::memcpy(&word_key, key.data(), sizeof(word_key));
  const Byte* at = piece.data();
  std::size_t left = piece.size();
  std::uint64_t state = state_;

  // Blocks are multiples of four bytes, so the key lies the same over each of them.
  constexpr std::size_t block = 32;
  for (; left >= block; left -= block, at += block) {
    std::uint64_t words[block / 8];
    std::memcpy(words, at, block);
    std::uint64_t all = 0;
    for (const std::uint64_t word : words) all |= word ^ word_key;
    if (((all & high_bits) | state) == 0) continue;
    if (left >= least_wide) {
      // Vector code takes what begins and ends between characters; the automaton what stands over on both sides.
      Byte buffer[most_wide];
      const Bytes plain(buffer, std::min(left / block * block, most_wide));
      unmask(Bytes(at, plain.size()), buffer, mask, offset);
      std::size_t begin = 0;
      while (state != accept && state != reject) state = (table[plain[begin++]] >> state) & 63;
      const std::size_t end = whole_characters(plain);
      if (state == reject ||
          !simdjson::validate_utf8(reinterpret_cast<const char*>(plain.data()) + begin, end - begin)) {
        state = reject;
        break;
      }
      for (std::size_t i = end; i < plain.size(); ++i) state = (table[plain[i]] >> state) & 63;
      at += plain.size() - block;
      left -= plain.size() - block;
    } else {
      for (std::size_t i = 0; i < block; ++i) state = (table[at[i] ^ key[i % 4]] >> state) & 63;
    }
    if (state == reject) break;
  }
  if (state != reject) {
    for (; left >= 8 && state == accept; left -= 8, at += 8) {
      std::uint64_t word;
      std::memcpy(&word, at, sizeof(word));
      if (((word ^ word_key) & high_bits) != 0) break;
    }
    for (std::size_t i = 0; i < left; ++i) state = (table[at[i] ^ key[i % 4]] >> state) & 63;
  }
  state_ = static_cast<std::uint8_t>(state);
  return state != reject;
}

}  // namespace sallyport::ws
