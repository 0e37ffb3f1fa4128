// The Assembler, fed in chunks that the input itself chooses: the same stream cut otherwise must give the same units
// and error, and what is handed out must be bytes of the stream. Input: role and stop bits, a seed for the cuts, then
// the stream.
#include <cstdlib>
#include <optional>
#include <string>
#include <vector>

#include "sallyport/ws/assembler.h"

namespace {

using namespace sallyport;

constexpr std::size_t message_limit = 4096;

struct Outcome {
  std::string units;
  std::optional<Reason> error;
  bool operator==(const Outcome&) const = default;
};

void require(bool condition) {
  if (!condition) std::abort();
}

template <class NextSize>
Outcome run(Bytes stream, ws::Role from, ws::Extension agreed, bool stops, NextSize next_size) {
  Outcome outcome;
  ws::Assembler assembler(from, {.message_size = message_limit, .frames = 16}, agreed);
  std::vector<Byte> scratch(2 * message_limit);
  while (!stream.empty() && !outcome.error) {
    const std::size_t size = std::min(stream.size(), next_size());
    const std::vector<Byte> read(stream.begin(), stream.begin() + static_cast<std::ptrdiff_t>(size));
    stream = stream.subspan(size);
    assembler.feed(read);
    for (;;) {
      auto unit = assembler.next();
      if (!unit.ok()) {
        outcome.error = unit.error().reason;
        break;
      }
      if (unit->kind == ws::Unit::Kind::need_more) break;
      require(unit->payload_size <= (unit->first.compressed ? 2 : 1) * message_limit);
      const Bytes payload = unit->unmask_into(scratch);
      require(payload.size() == unit->payload_size);
      outcome.units += static_cast<char>('0' + static_cast<int>(unit->kind));
      outcome.units += text_of(unit->wire);
      outcome.units += text_of(payload);
      if (stops) assembler.keep_rest();
    }
    require(assembler.in_unit() || assembler.memory() == 0);
    require(assembler.memory() < 2 * message_limit + 1024);
  }
  return outcome;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const ws::Role from = (data[0] & 1) != 0 ? ws::Role::client : ws::Role::server;
  const bool stops = (data[0] & 2) != 0;
  const ws::Extension agreed = (data[0] & 4) != 0 ? ws::Extension::deflate : ws::Extension::none;
  std::uint32_t seed = data[1] + 1u;
  const Bytes stream(data + 2, size - 2);
  const Outcome whole = run(stream, from, agreed, false, [&] { return stream.size(); });
  const Outcome cut = run(stream, from, agreed, stops, [&] {
    seed = seed * 1664525 + 1013904223;
    return std::size_t{1} + (seed >> 16) % ((seed >> 8) % 4 == 0 ? 300 : 7);
  });
  require(whole == cut);
  return 0;
}
