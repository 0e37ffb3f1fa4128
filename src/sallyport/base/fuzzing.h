#pragma once

// For fuzz targets only, and in one source file of a program only.

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <random>
#include <span>
#include <vector>

#include "sallyport/base/bytes.h"

extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t most);

/// Fuzz inputs that are a program and no text: a few bytes that set the stage, then steps of one size. Any bytes are one; what is
/// missing at the end is zero. A mutator that knows the steps keeps those behind a change as they were, so that a long story that
/// leads somewhere can be varied in its middle.
namespace sallyport::fuzzing {

inline void must(bool condition) {
  if (!condition) std::abort();
}

struct Step {
  Byte what;
  std::array<Byte, 7> by;

  std::size_t number(std::size_t at) const { return by[at] | by[at + 1] << 8; }
};

template <std::size_t stage_size>
class Script {
 public:
  Script(const std::uint8_t* data, std::size_t size) : rest_(data, size) {
    const std::size_t taken = std::min(size, stage_size);
    std::copy_n(data, taken, stage.begin());
    rest_ = rest_.subspan(taken);
  }
  bool done() const { return rest_.empty(); }
  Step next() {
    std::array<Byte, sizeof(Step)> bytes{};
    const std::size_t taken = std::min(rest_.size(), bytes.size());
    std::copy_n(rest_.begin(), taken, bytes.begin());
    rest_ = rest_.subspan(taken);
    Step step;
    std::memcpy(&step, bytes.data(), sizeof(step));
    return step;
  }

  std::array<Byte, stage_size> stage{};

 private:
  Bytes rest_;
};

/// What LLVMFuzzerCustomMutator returns for such an input.
template <std::size_t stage_size>
std::size_t mutate(std::uint8_t* data, std::size_t size, std::size_t most, unsigned seed) {
  if (most < stage_size + sizeof(Step)) return LLVMFuzzerMutate(data, size, most);
  std::minstd_rand random(seed);
  const auto below = [&](std::size_t bound) { return bound == 0 ? 0 : static_cast<std::size_t>(random()) % bound; };
  std::vector<std::uint8_t> stage(data, data + std::min(size, stage_size));
  stage.resize(stage_size);
  std::vector<Step> steps(size <= stage_size ? 0 : (size - stage_size + sizeof(Step) - 1) / sizeof(Step));
  if (!steps.empty()) {
    std::memset(steps.data(), 0, steps.size() * sizeof(Step));
    std::memcpy(steps.data(), data + stage_size, size - stage_size);
  }
  const auto place = [&](std::size_t at) { return steps.begin() + static_cast<std::ptrdiff_t>(at); };
  for (std::size_t times = 1 + below(3); times > 0; --times) {
    auto* bytes = reinterpret_cast<std::uint8_t*>(steps.data());
    const std::size_t kind = steps.empty() ? 0 : below(16);
    if (kind < 3) {
      Step fresh;
      fresh.what = static_cast<Byte>(random() >> 8);
      for (Byte& byte : fresh.by) byte = static_cast<Byte>(random() >> 8);
      steps.insert(place(below(steps.size() + 1)), fresh);
    } else if (kind < 6) {
      bytes[below(steps.size() * sizeof(Step))] = static_cast<Byte>(random() >> 8);
    } else if (kind < 8) {
      bytes[below(steps.size() * sizeof(Step))] += static_cast<Byte>(below(9) - 4);
    } else if (kind < 10) {
      const std::size_t at = below(steps.size());
      steps.erase(place(at), place(at + std::min(steps.size() - at, 1 + below(4))));
    } else if (kind < 12) {
      const std::size_t at = below(steps.size());
      const std::vector<Step> copy(place(at), place(at + std::min(steps.size() - at, 1 + below(4))));
      steps.insert(place(below(steps.size() + 1)), copy.begin(), copy.end());
    } else if (kind == 12) {
      std::swap(steps[below(steps.size())], steps[below(steps.size())]);
    } else if (kind == 13) {
      steps[below(steps.size())].what = steps[below(steps.size())].what;
    } else if (kind == 14) {
      std::array<std::uint8_t, sizeof(Step)> one;
      const std::size_t at = below(steps.size()) * sizeof(Step);
      std::memcpy(one.data(), bytes + at, one.size());
      const std::size_t made = LLVMFuzzerMutate(one.data(), one.size(), one.size());
      std::memcpy(bytes + at, one.data(), made);
    } else {
      stage[below(stage.size())] = static_cast<Byte>(random() >> 8);
    }
  }
  steps.resize(std::min(steps.size(), (most - stage_size) / sizeof(Step)));
  std::copy(stage.begin(), stage.end(), data);
  if (!steps.empty()) std::memcpy(data + stage_size, steps.data(), steps.size() * sizeof(Step));
  return stage_size + steps.size() * sizeof(Step);
}

/// What LLVMFuzzerCustomCrossOver returns: the beginning of one story, the end of another.
template <std::size_t stage_size>
std::size_t cross(Bytes one, Bytes other, std::span<std::uint8_t> out, unsigned seed) {
  std::minstd_rand random(seed);
  const auto steps_in = [](Bytes bytes) {
    return bytes.size() <= stage_size ? 0 : (bytes.size() - stage_size) / sizeof(Step);
  };
  const std::size_t head = stage_size + sizeof(Step) * (random() % (steps_in(one) + 1));
  const std::size_t tail = stage_size + sizeof(Step) * (random() % (steps_in(other) + 1));
  if (one.size() < head || other.size() < tail) return 0;
  const std::size_t taken = std::min(other.size() - tail, out.size() < head ? 0 : out.size() - head);
  if (out.size() < head) return 0;
  std::copy_n(one.begin(), head, out.begin());
  std::copy_n(other.begin() + static_cast<std::ptrdiff_t>(tail), taken,
              out.begin() + static_cast<std::ptrdiff_t>(head));
  return head + taken;
}

}  // namespace sallyport::fuzzing

/// Makes libFuzzer vary steps instead of bytes.
#define SALLYPORT_FUZZ_STEPS(stage_size)                                                                   \
  extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size, std::size_t most,   \
                                                 unsigned seed) {                                          \
    return sallyport::fuzzing::mutate<stage_size>(data, size, most, seed);                                 \
  }                                                                                                        \
  extern "C" std::size_t LLVMFuzzerCustomCrossOver(const std::uint8_t* one, std::size_t one_size,          \
                                                   const std::uint8_t* other, std::size_t other_size,      \
                                                   std::uint8_t* out, std::size_t most, unsigned seed) {   \
    return sallyport::fuzzing::cross<stage_size>({one, one_size}, {other, other_size}, {out, most}, seed); \
  }
