#pragma once

#include <cstdint>
#include <string>

#include "sallyport/base/bytes.h"

namespace sallyport::crypto {

/// Where unpredictable bytes come from; an argument everywhere, so that a test can repeat itself.
class Random {
 public:
  virtual ~Random() = default;
  virtual void fill(MutableBytes out) = 0;
  std::string bytes(std::size_t count);
};

/// The operating system's generator by way of OpenSSL. A failure is a bug: nothing is safe without it.
/// Threads: any.
class SystemRandom final : public Random {
 public:
  void fill(MutableBytes out) override;
};

/// The same bytes for the same seed. For tests only.
class FakeRandom final : public Random {
 public:
  explicit FakeRandom(std::uint64_t seed = 1) : state_(seed) {}
  void fill(MutableBytes out) override;

 private:
  std::uint64_t state_;
};

/// `count` bytes from SystemRandom.
std::string random_bytes(std::size_t count);

}  // namespace sallyport::crypto
