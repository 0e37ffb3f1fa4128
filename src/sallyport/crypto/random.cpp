#include "sallyport/crypto/random.h"

#include <openssl/rand.h>

#include <algorithm>

#include "sallyport/base/result.h"

namespace sallyport::crypto {

std::string Random::bytes(std::size_t count) {
  std::string out(count, '\0');
  fill(MutableBytes(reinterpret_cast<Byte*>(out.data()), out.size()));
  return out;
}

void SystemRandom::fill(MutableBytes out) {
  while (!out.empty()) {
    const std::size_t part = std::min<std::size_t>(out.size(), 1 << 20);
    SALLYPORT_CHECK(RAND_bytes(out.data(), static_cast<int>(part)) == 1);
    out = out.subspan(part);
  }
}

// splitmix64: well spread, and small enough to be seen to be correct.
void FakeRandom::fill(MutableBytes out) {
  for (Byte& byte : out) {
    state_ += 0x9E3779B97F4A7C15U;
    std::uint64_t mixed = state_;
    mixed = (mixed ^ mixed >> 30) * 0xBF58476D1CE4E5B9U;
    mixed = (mixed ^ mixed >> 27) * 0x94D049BB133111EBU;
    byte = static_cast<Byte>(mixed >> 56);
  }
}

std::string random_bytes(std::size_t count) { return SystemRandom().bytes(count); }

}  // namespace sallyport::crypto
