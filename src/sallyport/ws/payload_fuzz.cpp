// What goes over payloads many bytes at a time against loops that go one by one: unmasking and UTF-8, wherever the bytes lie in
// memory and in the frame, and however the payload is cut. Input: mask, place, cuts, filler in front, then the payload.
#include "sallyport/base/fuzzing.h"
#include "sallyport/ws/testing.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace sallyport;
  using fuzzing::must;
  fuzzing::Script<12> script(data, size);
  const auto& stage = script.stage;
  const ws::Mask mask{stage[0], stage[1], stage[2], stage[3]};
  const std::size_t shift = stage[4] % 16;
  const std::uint64_t offset = stage[5];
  static constexpr std::string_view fillers[] = {"",           "a", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80",
                                                 "plain text "};
  const std::string_view filler = fillers[stage[6] % std::size(fillers)];
  std::string plain;
  for (std::size_t left = stage[7] * std::size_t{4}; !filler.empty() && left > 0; --left) plain += filler;
  if (size > 12) plain.append(reinterpret_cast<const char*>(data) + 12, size - 12);
  if (stage[8] & 1) plain += plain;
  if (stage[8] & 2) plain += std::string(stage[9] * 8u, 'x');

  std::string expected = plain;
  for (std::size_t i = 0; i < expected.size(); ++i)
    expected[i] = static_cast<char>(expected[i] ^ mask[(offset + i) % 4]);
  // Exactly as long as they must be, so that a byte too far is seen.
  const std::vector<Byte> front(shift);
  std::vector<Byte> from(shift + plain.size());
  std::copy(plain.begin(), plain.end(), from.begin() + static_cast<std::ptrdiff_t>(shift));
  std::vector<Byte> to(plain.size() + stage[10] % 8);
  const std::size_t target_shift = to.size() - plain.size();
  ws::unmask(Bytes(from).subspan(shift), MutableBytes(to).subspan(target_shift), mask, offset);
  must(text_of(Bytes(to).subspan(target_shift)) == expected);
  ws::unmask(Bytes(from).subspan(shift), MutableBytes(from).subspan(shift), mask, offset);
  must(text_of(Bytes(from).subspan(shift)) == expected);

  // `from` is masked now; in pieces of every size, the verdict is the reference's after each.
  ws::Utf8Validator whole;
  const auto reference = ws::testing::whole_utf8(plain);
  must(whole.add_masked(Bytes(from).subspan(shift), mask, offset) == reference.has_value());
  must(whole.complete() == (reference == plain.size()));
  ws::Utf8Validator split;
  ws::Utf8Validator unmasked;
  const std::size_t longest = std::size_t{1} << (stage[9] % 12);
  std::uint32_t seed = stage[11] + 1u;
  bool good = true;
  for (std::size_t at = 0, checks = 0; at < plain.size();) {
    seed = seed * 1664525 + 1013904223;
    const std::size_t count = std::min(plain.size() - at, std::size_t{1} + (seed >> 8) % longest);
    good = split.add_masked(Bytes(from).subspan(shift + at, count), mask, offset + at);
    must(unmasked.add(bytes_of(plain).subspan(at, count)) == good);
    at += count;
    if (++checks > 8 && at < plain.size()) continue;  // each looks at all from the start
    const auto so_far = ws::testing::whole_utf8(std::string_view(plain).substr(0, at));
    must(so_far.has_value() == good);
    must(split.complete() == (so_far == at) && unmasked.complete() == split.complete());
  }
  must(good == reference.has_value());
  return 0;
}
