#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "sallyport/base/bytes.h"
#include "sallyport/base/result.h"

/// permessage-deflate (RFC 7692 §7.2): payloads in, payloads out. Frames, and who agreed to what, are others' to know.
namespace sallyport::ws {

/// What holds for one direction of a connection.
struct DeflateTerms {
  /// Whether a message may point into the ones before it.
  enum class Context : std::uint8_t { message, connection };

  Context context = Context::message;
  /// How far a message may point back: 2 to that many bytes. From 8 to 15.
  std::uint8_t window_bits = 15;

  bool operator==(const DeflateTerms&) const = default;
};

/// The most that a message may become.
struct InflateLimits {
  std::size_t size = 64 * 1024;  ///< bytes
  std::size_t ratio = 200;       ///< times its compressed size; 4 KiB are granted to the smallest
};

struct Inflated {
  Bytes payload;
  /// One run of blocks up to the end. False when a final block ended it, or stood in its midst (RFC 7692 §7.2.3.4):
  /// decompressors differ on what follows such a block, so the message must not go on as it came.
  bool plain_blocks = true;
};

/// Inflates messages, one after the other. With Context::message it serves any number of connections in turn and needs no
/// memory of any of them; with Context::connection it belongs to one direction of one.
/// No memory is held before the first message; none is allocated for a later one, unless `out` must grow.
class Inflater {
 public:
  Inflater();
  Inflater(Inflater&&) noexcept;
  Inflater& operator=(Inflater&&) noexcept;
  ~Inflater();

  /// What `compressed`, the payload of one message, holds; `out` has it at its front. No more than `limits` and one byte
  /// is ever written, and `out` grows no further than that.
  /// Trust:  `compressed` is hostile.
  /// Errors: `message.not_deflate`, `message.too_big`, `message.bomb` beyond the ratio; nothing else. After one, a
  ///         Context::connection cannot go on.
  /// Spec:   RFC 7692 §7.2.2. Stricter: the message must end at the end of a block. Looser: the window bounds only how
  ///         far back into earlier messages it may point.
  /// Lifetime: the result views `out`.
  Result<Inflated> inflate(Bytes compressed, DeflateTerms terms, InflateLimits limits, std::vector<Byte>& out);

  /// Bytes that zlib holds.
  std::size_t memory() const;

 private:
  struct Stream;
  std::unique_ptr<Stream> stream_;
};

/// Compresses messages, one after the other; shared or owned as an Inflater is.
class Deflater {
 public:
  Deflater();
  Deflater(Deflater&&) noexcept;
  Deflater& operator=(Deflater&&) noexcept;
  ~Deflater();

  /// `message`, which is not empty, as it goes into one frame or several; `out` has it at its front. With Context::connection
  /// it must be sent: the other side's window has to see it.
  /// Units: `terms.window_bits` from 9 to 15, the same in every call.
  /// Lifetime: the result views `out`.
  Bytes deflate(Bytes message, DeflateTerms terms, std::vector<Byte>& out);

  /// Bytes that zlib holds.
  std::size_t memory() const;

 private:
  struct Stream;
  std::unique_ptr<Stream> stream_;
};

}  // namespace sallyport::ws
