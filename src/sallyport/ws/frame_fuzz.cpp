// The Assembler against a plain reading of the RFC: whatever a peer sends and however it is cut, both must find the same units, with
// the same bytes, and the same first error; and the Assembler must hold no more than it says.
// Input: role, stops and a limit; a seed for the cuts; what was agreed on; then steps: frames of the grammar, or bytes as they are.
#include "sallyport/base/fuzzing.h"
#include "sallyport/ws/testing.h"

namespace {

using namespace sallyport;
using fuzzing::must;
using Frame = ws::testing::Reference::Frame;

constexpr std::size_t stage_size = 4;
constexpr std::size_t longest_stream = 200'000;

void must_be(const ws::Unit& unit, const Frame& expected, std::vector<Byte>& scratch) {
  must(unit.kind == expected.kind && unit.fragmented == expected.fragmented);
  must(unit.first.compressed == expected.compressed);
  must(text_of(unit.wire) == expected.wire);
  must(unit.payload_size == expected.payload.size());
  must(text_of(unit.unmask_into(scratch)) == expected.payload);
}

template <class NextSize>
void compare(std::string_view stream, ws::Role from, ws::Assembler::Limits limits, ws::Extension agreed, bool stops,
             const ws::testing::Reference& expected, NextSize next_size) {
  ws::Assembler assembler(from, limits, agreed);
  std::vector<Byte> scratch(2 * limits.message_size + ws::max_control_payload);
  const std::size_t frames = limits.frames + limits.message_size / ws::Assembler::payload_per_frame;
  const std::size_t most_held = 2 * (limits.message_size * 9 / 8 + ws::max_header_length * frames) + 1024;
  std::size_t units = 0;
  std::optional<Reason> error;
  while (!stream.empty() && !error) {
    const std::size_t size = std::min(stream.size(), next_size());
    const std::vector<Byte> read(stream.begin(),
                                 stream.begin() + static_cast<std::ptrdiff_t>(size));  // its end is guarded
    stream.remove_prefix(size);
    assembler.feed(read);
    for (;;) {
      const auto unit = assembler.next();
      if (!unit.ok()) {
        error = unit.error().reason;
        must(assembler.next().error().reason == *error);
        break;
      }
      if (unit->kind == ws::Unit::Kind::need_more) break;
      must(units < expected.units.size());
      must_be(*unit, expected.units[units++], scratch);
      if (stops) assembler.keep_rest();
    }
    must(assembler.in_unit() || assembler.memory() == 0);
    must(assembler.memory() < most_held);
  }
  must(error == expected.error && units == expected.units.size());
  must(assembler.closed() == expected.closed);
  if (!error && !expected.closed) must(assembler.in_unit() == !expected.at_boundary());
}

}  // namespace

SALLYPORT_FUZZ_STEPS(stage_size)

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzzing::Script<stage_size> script(data, size);
  const ws::Role from = (script.stage[0] & 1) != 0 ? ws::Role::client : ws::Role::server;
  const bool stops = (script.stage[0] & 2) != 0;
  static constexpr std::size_t sizes[] = {4096, 125, 2000, 0, 4096, 70'000, 600, 126};
  const ws::Assembler::Limits limits{.message_size = sizes[script.stage[0] >> 2 & 7], .frames = 16};
  const ws::Extension agreed = (script.stage[3] & 1) != 0 ? ws::Extension::deflate : ws::Extension::none;
  ws::testing::Grammar grammar(from, limits.message_size, agreed);
  std::string stream;
  while (!script.done() && stream.size() < longest_stream) {
    const fuzzing::Step step = script.next();
    if (step.what < 224) {
      grammar.append(stream, step.by);
    } else {
      stream.append(reinterpret_cast<const char*>(step.by.data()), step.what % 8);
    }
  }

  ws::testing::Reference expected(from, limits, agreed);
  expected.add(stream);
  compare(stream, from, limits, agreed, false, expected, [&] { return stream.size(); });
  std::uint32_t seed = script.stage[1] + 1u;
  const std::uint32_t longest = 1u << (script.stage[2] % 14);
  compare(stream, from, limits, agreed, stops, expected, [&] {
    seed = seed * 1664525 + 1013904223;
    return std::size_t{1} + (seed >> 8) % longest;
  });
  return 0;
}
