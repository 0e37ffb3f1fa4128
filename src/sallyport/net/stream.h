#pragma once

#include <cstdint>

#include "sallyport/base/bytes.h"
#include "sallyport/base/result.h"
#include "sallyport/net/loop.h"

namespace sallyport::net {

enum class IoStatus : std::uint8_t {
  ok,           ///< `bytes` were moved, at least one
  would_block,  ///< nothing now; the Wake is raised when it is worth another try
  end,          ///< the peer has finished sending in an orderly way (TLS close_notify, or FIN on a plain socket)
  failed,       ///< the connection is gone (reset, TLS error, FIN without close_notify); every later call says so too
};

struct IoResult {
  IoStatus status;
  std::size_t bytes = 0;
};

/// A connected byte stream that never blocks: TCP, TLS or, in tests, a script.
/// Trust:   what read() yields is hostile.
/// Threads: the Loop's own.
class Stream {
 public:
  virtual ~Stream() = default;

  /// Moves what is there into `into`.
  virtual IoResult read(MutableBytes into) = 0;
  /// Takes as much of `from` as fits. When it has not taken all, the next call must start with the bytes that were left, no
  /// fewer of them.
  virtual IoResult write(Bytes from) = 0;
  /// Says that nothing more will be written (close_notify, FIN). Best effort; the stream can still be read.
  virtual void finish() = 0;

  /// Raises `readable` and `writable` on `wake` from now on. Writability is only reported after a write would have blocked.
  /// Lifetime: `wake` outlives the stream or the next attach().
  virtual void attach(Wake& wake, std::uint32_t readable, std::uint32_t writable) = 0;
  /// Stops and restarts the reports of readability, so that a peer can be held back. Starts on.
  virtual void pause_reading() = 0;
  virtual void resume_reading() = 0;
};

/// A moment, and what to call it when it has passed.
struct Deadline {
  Instant at;
  Reason late;
};

/// One coroutine's way to wait for streams, one step after the other, until a deadline or an interruption.
/// Threads: the Loop's own.
class Waiter {
 public:
  static constexpr std::uint32_t readable = 1;
  static constexpr std::uint32_t writable = 2;
  static constexpr std::uint32_t late = 4;
  static constexpr std::uint32_t interrupted = 8;
  /// Bits from here on are the owner's.
  static constexpr std::uint32_t first_free = 16;

  explicit Waiter(Loop& loop) : wake_(loop), timer_(wake_, late) {}

  /// Reads at least one byte. The stream must be attached to wake() with `readable` and `writable`.
  /// Errors: `deadline.late`, the interruption, `peer.gone` when the stream has ended or failed.
  Task<Result<std::size_t>> read_some(Stream& stream, MutableBytes into, Deadline deadline);
  /// Writes all of `bytes`. Errors: as read_some().
  Task<Result<void>> write_all(Stream& stream, Bytes bytes, Deadline deadline);
  /// Waits until any of `bits` has been raised, and says which; not at all once the deadline has passed, whatever was raised.
  /// Errors: `deadline.late`, the interruption.
  Task<Result<std::uint32_t>> wait_for(std::uint32_t bits, Deadline deadline);

  /// Makes the present wait, or the next one, fail with `error`. The first interruption stays.
  void interrupt(Error error);
  const std::optional<Error>& interruption() const { return interruption_; }

  Wake& wake() { return wake_; }

 private:
  Wake wake_;
  Timer timer_;
  std::optional<Error> interruption_;
};

}  // namespace sallyport::net
