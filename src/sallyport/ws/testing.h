#pragma once

#include <algorithm>
#include <array>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "sallyport/ws/assembler.h"

/// What one peer of a WebSocket sends, made and read by means that share nothing with the code under test.
namespace sallyport::ws::testing {

/// The length of the whole characters at the front of `text`, what is left being the start of one; nullopt when no continuation
/// could make it UTF-8. By code points, not by a table: the numbers that the bytes so far can still become.
inline std::optional<std::size_t> whole_utf8(std::string_view text) {
  static constexpr std::uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
  std::size_t at = 0;
  while (at < text.size()) {
    const auto lead = static_cast<Byte>(text[at]);
    std::size_t length = 1;
    if (lead >= 0x80) {
      length = 0;
      while (length < 8 && (lead & (0x80 >> length)) != 0) ++length;
      if (length < 2 || length > 4) return std::nullopt;
    }
    std::uint32_t low = length == 1 ? lead : lead & (0x7f >> length);
    std::uint32_t high = low;
    std::size_t seen = 1;
    for (std::size_t i = 1; i < length; ++i) {
      std::uint32_t least = 0;
      std::uint32_t most = 63;
      if (at + i < text.size()) {
        const auto byte = static_cast<Byte>(text[at + i]);
        if ((byte & 0xc0) != 0x80) return std::nullopt;
        least = most = byte & 0x3f;
        ++seen;
      }
      low = low * 64 + least;
      high = high * 64 + most;
    }
    if (length > 1 && high < smallest[length]) return std::nullopt;
    if (low > 0x10ffff || (low >= 0xd800 && high <= 0xdfff)) return std::nullopt;
    if (seen < length) return at;
    at += length;
  }
  return at;
}

/// Reads a stream as the RFC's prose has it, byte by byte, from a buffer that keeps everything.
class Reference {
 public:
  struct Frame {
    Unit::Kind kind;
    bool fragmented;
    bool compressed;
    std::string payload;
    std::string wire;  ///< as it came, without what stood between its fragments
  };

  Reference(Role from, Assembler::Limits limits, Extension agreed = Extension::none)
      : from_(from), limits_(limits), agreed_(agreed) {}

  /// Takes more of the stream; units that are complete are in units() then.
  void add(std::string_view bytes) {
    stream_.append(bytes);
    while (!error && !closed && read_frame()) {
    }
    if (pos_ > 4096 && pos_ > stream_.size() / 2) {
      stream_.erase(0, pos_);
      pos_ = 0;
    }
  }

  std::vector<Frame> units;     ///< for the caller to take from
  std::optional<Reason> error;  ///< nothing behind it counts
  bool closed = false;          ///< nor behind a close frame
  /// Whether the stream may end here.
  bool at_boundary() const { return pos_ == stream_.size() && !in_message_; }
  bool has_rest() const { return pos_ < stream_.size(); }
  std::size_t memory() const {
    std::size_t sum =
        stream_.capacity() + message_.payload.capacity() + message_.wire.capacity() + units.capacity() * sizeof(Frame);
    for (const Frame& unit : units) sum += unit.payload.capacity() + unit.wire.capacity();
    return sum;
  }

 private:
  bool wrong(Reason reason) {
    error = reason;
    return false;
  }

  // False when there is no whole frame, or no sound one.
  bool read_frame() {
    const std::string_view rest = std::string_view(stream_).substr(pos_);
    const auto byte = [&](std::size_t at) { return static_cast<Byte>(rest[at]); };
    if (rest.empty()) return false;
    const bool fin = byte(0) >= 0x80;
    const int opcode = byte(0) & 15;
    const bool starts = opcode == 1 || opcode == 2;
    const bool compressed = (byte(0) & 0x40) != 0;
    if (compressed && !(starts && agreed_ == Extension::deflate)) return wrong(Reason::frame_malformed);
    if ((byte(0) & 0x30) != 0) return wrong(Reason::frame_malformed);
    const bool control = opcode == 8 || opcode == 9 || opcode == 10;
    if (!control && opcode != 0 && !starts) return wrong(Reason::frame_malformed);
    if (control && !fin) return wrong(Reason::frame_malformed);
    if (rest.size() < 2) return false;
    const bool masked = byte(1) >= 0x80;
    if (masked != (from_ == Role::client)) return wrong(Reason::frame_malformed);
    std::uint64_t length = byte(1) & 0x7f;
    std::size_t header = 2;
    if (control && length > 125) return wrong(Reason::frame_malformed);
    if (length > 125) {
      const std::size_t more = length == 126 ? 2 : 8;
      if (rest.size() < 2 + more) return false;
      length = 0;
      for (std::size_t i = 0; i < more; ++i) length = length * 256 + byte(2 + i);
      header += more;
      if (more == 2 && length < 126) return wrong(Reason::frame_malformed);
      if (more == 8 && (length < 65536 || length > 0x7fffffffffffffff)) return wrong(Reason::frame_malformed);
    }
    std::array<Byte, 4> mask{};
    if (masked) {
      if (rest.size() < header + 4) return false;
      for (std::size_t i = 0; i < 4; ++i) mask[i] = byte(header + i);
      header += 4;
    }
    if (!control) {
      if ((opcode == 0) != in_message_) return wrong(Reason::frame_malformed);
      const std::uint64_t before = in_message_ ? message_.payload.size() : 0;
      const std::uint64_t frames = in_message_ ? frames_ + 1 : 1;
      const std::uint64_t most = limits_.message_size;
      const bool grown = starts ? compressed : message_.compressed;
      const std::uint64_t room = grown ? most + most / 8 + 64 : most;
      // `length` alone first: the sum may be too long for the type.
      if (length > room || before + length > room) return wrong(Reason::message_too_big);
      if (frames > limits_.frames + (before + length) / Assembler::payload_per_frame)
        return wrong(Reason::message_too_big);
    }
    std::string payload(rest.substr(header, static_cast<std::size_t>(std::min<std::uint64_t>(length, rest.size()))));
    for (std::size_t i = 0; i < payload.size(); ++i) payload[i] = static_cast<char>(payload[i] ^ mask[i % 4]);
    const bool text =
        opcode == 0 ? message_.kind == Unit::Kind::text && !message_.compressed : opcode == 1 && !compressed;
    if (text) {
      const std::string so_far = (in_message_ ? message_.payload : "") + payload;
      const auto whole = whole_utf8(so_far);
      if (!whole) return wrong(Reason::message_not_utf8);
      if (fin && payload.size() == length && *whole < so_far.size()) return wrong(Reason::message_not_utf8);
    }
    if (payload.size() < length) return false;

    const std::string_view wire = rest.substr(0, header + payload.size());
    pos_ += wire.size();
    if (control) {
      if (opcode == 8) {
        if (!payload.empty() && !take_close(payload)) return false;
        closed = true;
      }
      const Unit::Kind kind = opcode == 8 ? Unit::Kind::close : opcode == 9 ? Unit::Kind::ping : Unit::Kind::pong;
      units.push_back({kind, false, false, std::move(payload), std::string(wire)});
      return true;
    }
    if (!in_message_) {
      message_ = {opcode == 1 ? Unit::Kind::text : Unit::Kind::binary, !fin, compressed, "", ""};
      frames_ = 0;
    }
    message_.payload += payload;
    message_.wire += wire;
    ++frames_;
    in_message_ = !fin;
    if (fin) units.push_back(std::exchange(message_, {}));
    return true;
  }

  bool take_close(const std::string& payload) {
    if (payload.size() < 2) return wrong(Reason::frame_malformed);
    const int code = static_cast<Byte>(payload[0]) * 256 + static_cast<Byte>(payload[1]);
    const bool known = (code >= 1000 && code <= 1014 && code != 1004 && code != 1005 && code != 1006) ||
                       (code >= 3000 && code <= 4999);
    if (!known) return wrong(Reason::frame_malformed);
    const std::string_view reason = std::string_view(payload).substr(2);
    if (whole_utf8(reason) != reason.size()) return wrong(Reason::message_not_utf8);
    return true;
  }

  Role from_;
  Assembler::Limits limits_;
  Extension agreed_;
  std::string stream_;
  std::size_t pos_ = 0;
  bool in_message_ = false;
  std::size_t frames_ = 0;
  Frame message_{};
};

/// Whether `unit`, which has arrived, is one of those that were `sent`, from `next` on, with only such between that `may_stay` away;
/// then `next` is behind it.
template <class MayStay>
bool was_sent(const std::vector<Reference::Frame>& sent, std::size_t& next, const Reference::Frame& unit,
              MayStay may_stay) {
  for (std::size_t at = next; at < sent.size(); ++at) {
    if (sent[at].kind == unit.kind && sent[at].wire == unit.wire) {
      next = at + 1;
      return true;
    }
    if (!may_stay(sent[at])) return false;
  }
  return false;
}

/// Makes frames of a peer out of a few bytes each: sound ones for the most part, else with one flaw. Texts go on from fragment to
/// fragment in the middle of their characters.
class Grammar {
 public:
  Grammar(Role from, std::size_t message_limit, Extension agreed = Extension::none)
      : from_(from), limit_(message_limit), agreed_(agreed) {}

  /// Appends what `by` stands for: opcode and flaw, length (two), content (two), mask, how much of the frame is left out.
  void append(std::string& out, const std::array<Byte, 7>& by) {
    static constexpr Byte opcodes[] = {1, 0, 2, 1, 0, 9, 10, 1, 2, 0, 8, 1, 0, 2, 3, 11};
    const Byte opcode = opcodes[by[0] & 15];
    const bool control = opcode >= 8;
    const bool fin = control || (by[0] & 16) == 0;
    const std::size_t flaw = (by[0] >> 5) == 7 ? by[5] & 7u : 8;
    const std::size_t size = length(by[1], by[2], control);
    const bool refused = !control && size > limit_ + 1;  // by its header: what follows need not come
    const std::string payload = content(opcode, refused ? size % 32 : size, by[3], by[4]);

    const auto sign = [](std::size_t byte) { return static_cast<char>(byte); };
    std::size_t declared = refused ? size : payload.size();
    if (flaw == 0) declared += std::size_t{1} << (by[4] & 63);
    const std::size_t width = flaw == 1 ? 2 : flaw == 2 ? 8 : declared < 126 ? 0 : declared < 65536 ? 2 : 8;
    const bool masked = (from_ == Role::client) != (flaw == 3);
    std::size_t first = (fin ? 0x80u : 0u) | opcode;
    if (flaw == 4) first |= 0x10u << (by[4] % 3);
    if (flaw == 5) first ^= 0x80u;
    if (agreed_ == Extension::deflate && (opcode == 1 || opcode == 2) && by[6] % 4 == 3) first |= 0x40u;
    std::string frame{sign(first)};
    frame += sign((masked ? 0x80u : 0u) | (width == 0 ? declared : width == 2 ? 126 : 127));
    for (std::size_t left = width; left > 0; --left) frame += sign(declared >> (8 * (left - 1)));
    std::array<Byte, 4> mask{};
    if (masked) {
      for (std::size_t i = 0; i < 4; ++i) frame += sign(mask[i] = static_cast<Byte>(by[5] * (37 * i + 1)));
    }
    const std::size_t header = frame.size();
    frame += payload;
    for (std::size_t i = header; i < frame.size(); ++i) frame[i] = static_cast<char>(frame[i] ^ mask[(i - header) % 4]);
    if (by[6] >= 240) frame.resize(std::min<std::size_t>(frame.size(), by[6] - 240u));
    out += frame;
  }

 private:
  // On the borders of the forms, of blocks and of the limit, or anything below 2048.
  std::size_t length(Byte one, Byte other, bool control) const {
    const std::size_t borders[] = {0, 1, 2, 7, 8, 31, 32, 63, 64, 125, 126, 127, 511, 512, 513, limit_, 65535, 65536};
    if (control) return one < 250 ? one % 126u : 126;
    if (one < 144) return borders[one % std::size(borders)] + (other < 240 ? 0 : other - 247u + 7u);
    return (one - 144u) % 8 * 256 + other;
  }

  std::string content(Byte opcode, std::size_t size, Byte kind, Byte seed) {
    std::string made;
    if (opcode == 8 && kind < 224) {
      static constexpr std::uint16_t codes[] = {1000, 1001, 1002, 1003, 1004, 1005, 1006, 1007, 1011, 1014,
                                                1015, 2999, 3000, 4000, 4401, 4999, 5000, 0,    999,  65535};
      if (seed == 255) return "x";
      if (seed == 254) return "";
      const std::uint16_t code = codes[kind < 200 ? 0 : seed % std::size(codes)];
      made = {static_cast<char>(code >> 8), static_cast<char>(code & 0xff)};
      size = std::min<std::size_t>(size, 123);
    }
    if (opcode == 0 || opcode == 1) {
      if (kind >= 208 && kind < 240 && opcode == 1) return control_text(seed);
      if (opcode == 1) character_ = seed;
      if (kind < 96) return made + characters(size);
      if (kind < 104) return made + with_a_bad_one(characters(size), kind, seed);
    }
    if (kind < 160) return made + std::string(size, static_cast<char>('a' + seed % 26));
    if (opcode == 8) return made + characters(std::min<std::size_t>(size, 123));
    for (std::size_t i = 0, state = seed + 1u; i < size; ++i)
      made += static_cast<char>((state = state * 1103515245 + 12345) >> 16);
    return made;
  }

  // The next bytes of an endless text of characters of every length, on every border.
  std::string characters(std::size_t size) {
    static constexpr std::string_view text =
        "a\xc2\x80\xdf\xbf\xe0\xa0\x80\xed\x9f\xbf\xee\x80\x80\xef\xbf\xbf\xf0\x90\x80\x80\xf4\x8f\xbf\xbf plain text, "
        "long enough for a word";
    std::string made;
    made.reserve(size);
    for (std::size_t i = 0; i < size; ++i) made += text[(character_ + i) % text.size()];
    character_ = (character_ + size) % text.size();
    return made;
  }
  static std::string with_a_bad_one(std::string text, Byte kind, Byte seed) {
    static constexpr std::string_view bad[] = {"\xc0\x80", "\xff",     "\xed\xa0\x80", "\xf4\x90\x80\x80",
                                               "\x80",     "\xe0\x9f", "\xf0\x8f",     "\xf5"};
    const std::string_view one = bad[kind % std::size(bad)];
    if (text.size() >= one.size()) text.replace(seed % (text.size() - one.size() + 1), one.size(), one);
    return text;
  }
  static std::string control_text(Byte seed) {
    static constexpr std::string_view texts[] = {R"({"$sallyport":{"op":"refresh","token":"good.alice.40"}})",
                                                 R"({"$sallyport":{"op":"refresh","token":"wait"}})",
                                                 R"({"$sallyport":{"op":"refresh","token":"bad"}})",
                                                 R"({"$sallyport":{"op":"refresh","token":"good.bob.40"}})",
                                                 R"({"$sallyport":{"op":"refresh","token":"down"}})",
                                                 R"({"$sallyport":{"op":"refresh","token":"late"}})",
                                                 R"({"$sallyport":{"op":"authenticate","token":"x"}})",
                                                 R"({"$sallyport":0})",
                                                 R"( { "\u0024sallyport":{"op":"ready"}})",
                                                 R"({"a":1,"$sallyport":{"op":"ready"}})",
                                                 R"({"a":{"$sallyport":1}})",
                                                 R"(["$sallyport"])",
                                                 R"({"$sallyport)",
                                                 R"({"a":"\"$sallyport\":","b":"\\"})",
                                                 R"({"method":"x","id":1})",
                                                 R"({})"};
    return std::string(texts[seed % std::size(texts)]);
  }

  Role from_;
  std::size_t limit_;
  Extension agreed_;
  std::size_t character_ = 0;
};

}  // namespace sallyport::ws::testing
