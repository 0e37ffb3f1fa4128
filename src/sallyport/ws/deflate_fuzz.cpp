// Inflating under limits against zlib without any: the same bytes or, beyond a limit, its refusal; and messages of every make,
// through shared streams and through one connection's own, come back as they were.
#include <zlib.h>

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "sallyport/base/fuzzing.h"
#include "sallyport/ws/deflate.h"

namespace {

using namespace sallyport;
using fuzzing::must;
using Context = ws::DeflateTerms::Context;

constexpr std::size_t oracle_room = 1 << 20;

// What `compressed` holds, up to `oracle_room` bytes; nothing when it is damaged before that.
std::optional<std::string> oracle(Bytes compressed) {
  std::string input(text_of(compressed));
  input.append("\x00\x00\xff\xff", 4);
  static std::string out(oracle_room, '\0');
  z_stream z{};
  must(inflateInit2(&z, -15) == Z_OK);
  z.next_in = reinterpret_cast<Byte*>(input.data());
  z.avail_in = static_cast<uInt>(input.size());
  z.next_out = reinterpret_cast<Byte*>(out.data());
  z.avail_out = static_cast<uInt>(out.size());
  int result = Z_OK;
  while (result == Z_OK && z.avail_in > 0 && z.avail_out > 0) {
    result = inflate(&z, Z_NO_FLUSH);
    if (result == Z_STREAM_END && z.avail_in > 4) {
      // The next stream may point into this one.
      std::vector<Byte> window(32 * 1024);
      uInt size = 0;
      must(inflateGetDictionary(&z, window.data(), &size) == Z_OK);
      must(inflateReset(&z) == Z_OK);
      must(inflateSetDictionary(&z, window.data(), size) == Z_OK);
      result = Z_OK;
    }
  }
  const std::size_t size = out.size() - z.avail_out;
  inflateEnd(&z);
  if (result != Z_OK && result != Z_STREAM_END && result != Z_BUF_ERROR) return std::nullopt;
  return out.substr(0, size);
}

void check_hostile(Bytes compressed, ws::InflateLimits limits) {
  static ws::Inflater shared;
  static std::vector<Byte> out;
  if (out.size() > limits.size + 1) out = {};
  const auto read = shared.inflate(compressed, {}, limits, out);
  must(out.size() <= limits.size + 1);
  const std::optional<std::string> expected = oracle(compressed);
  if (read.ok()) {
    must(read->payload.size() <= limits.size);
    must(read->payload.size() <= std::max<std::size_t>(4096, limits.ratio * compressed.size()));
    must(expected && *expected == text_of(read->payload));
    return;
  }
  switch (read.error().reason) {
    case Reason::message_too_big:
      must(!expected || expected->size() > limits.size);
      break;
    case Reason::message_bomb:
      must(!expected || expected->size() > limits.ratio * compressed.size());
      break;
    default:
      must(read.error().reason == Reason::message_not_deflate);
  }
  // Whoever comes next is not harmed.
  const std::string_view hello("\xf2\x48\xcd\xc9\xc9\x07\x00", 7);
  const auto next = shared.inflate(bytes_of(hello), {}, {}, out);
  must(next.ok() && text_of(next->payload) == "Hello" && next->plain_blocks);
}

void check_round_trip(Bytes text, std::uint8_t bits, std::size_t step) {
  static ws::Inflater shared_in;
  static std::array<ws::Deflater, 16> shared_out;
  static std::vector<Byte> packed;
  static std::vector<Byte> out;
  ws::Inflater own_in;
  ws::Deflater own_out;
  for (int rounds = 0; !text.empty() && rounds < 64; ++rounds) {
    const Bytes message = text.first(std::min(text.size(), step));
    text = text.subspan(message.size());
    step = 1 + step * 5 % 1999;
    for (const Context context : {Context::message, Context::connection}) {
      const ws::DeflateTerms terms{context, bits};
      const bool own = context == Context::connection;
      const Bytes compressed = (own ? own_out : shared_out[bits]).deflate(message, terms, packed);
      const auto read =
          (own ? own_in : shared_in).inflate(compressed, terms, {.size = message.size(), .ratio = 2000}, out);
      must(read.ok() && read->plain_blocks && std::ranges::equal(read->payload, message));
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 3) return 0;
  const Bytes rest(data + 3, size - 3);
  if ((data[0] & 1) != 0) {
    check_hostile(rest, {.size = std::size_t{1} << (4 + data[1] % 13), .ratio = std::size_t{1} << (data[2] % 11)});
  } else {
    check_round_trip(rest, static_cast<std::uint8_t>(9 + data[1] % 7), 1 + data[2] * 8u);
  }
  return 0;
}
