#pragma once

#include <cstdint>

#include "sallyport/base/bytes.h"
#include "sallyport/ws/frame.h"

namespace sallyport::ws {

/// Tells whether text that arrives in pieces is UTF-8. Each byte is looked at once; runs of ASCII eight bytes at a
/// time. Spec: RFC 3629: no overlong forms, no surrogates, nothing beyond U+10FFFF. Fail-fast: false at the first byte
/// after which no
///       continuation could be valid.
class Utf8Validator {
 public:
  /// Takes the next piece; false, for good, once the text cannot become valid.
  bool add(Bytes piece) { return add_masked(piece, Mask{}, 0); }
  /// The same for a piece that is still masked and begins at payload position `offset`.
  bool add_masked(Bytes piece, Mask mask, std::uint64_t offset);
  /// True when the text so far is valid and does not end inside a character.
  bool complete() const { return state_ == 0; }

 private:
  std::uint8_t state_ = 0;
};

}  // namespace sallyport::ws
