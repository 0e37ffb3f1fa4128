#pragma once

#include <cstdint>
#include <initializer_list>

#include "sallyport/crypto/algorithm.h"

namespace sallyport::jose {

using crypto::Algorithm;
using crypto::parse_algorithm;

/// Algorithms that somebody is willing to accept. Empty at first, so an absent list allows nothing.
class AlgorithmSet {
 public:
  AlgorithmSet() = default;
  AlgorithmSet(std::initializer_list<Algorithm> algorithms) {
    for (const Algorithm algorithm : algorithms) add(algorithm);
  }
  void add(Algorithm algorithm) { bits_ |= bit(algorithm); }
  bool contains(Algorithm algorithm) const { return (bits_ & bit(algorithm)) != 0; }
  bool empty() const { return bits_ == 0; }
  bool operator==(const AlgorithmSet&) const = default;

 private:
  static std::uint32_t bit(Algorithm algorithm) { return std::uint32_t{1} << static_cast<unsigned>(algorithm); }
  std::uint32_t bits_ = 0;
};

}  // namespace sallyport::jose
