#pragma once

#include <string>

#include "sallyport/gateway/exchange.h"
#include "sallyport/ws/assembler.h"

namespace sallyport::gateway {

/// What a client says inside a socket before it has proved who it is: read by itself, up to its first message and no further. While it lives the exchange's stream is read.
class FirstWords {
 public:
  /// Units: `most` payload bytes of that message. Lifetime: `exchange` outlives it.
  FirstWords(Exchange& exchange, std::size_t most);
  ~FirstWords();

  struct Message {
    ws::Unit::Kind kind = ws::Unit::Kind::need_more;
    std::string content;
  };
  /// The first message, at most once. Pings are answered, a few of them; a close frame is answered and ends it.
  /// Trust:    the content is hostile, except that a text is UTF-8.
  /// Suspends: until `deadline`, or one of `wake_bits` is raised on the exchange's Wake; then the kind is need_more.
  /// Errors:   `deadline.late`, the interruption, `peer.gone`, `peer.closed`, those of ws::Assembler, `limit.message_rate`.
  net::Task<Result<Message>> next(net::Deadline deadline, std::uint32_t wake_bits);
  /// The frames behind that message, as far as they came with it. Lifetime: this object's.
  Bytes rest() const { return bytes_of(received_).subspan(taken_); }

 private:
  Result<std::optional<Message>> look();

  const Exchange& exchange_;
  ws::Assembler assembler_;
  std::string received_;
  std::size_t taken_ = 0;  // of what was received, by whole units
  int control_frames_ = 0;
  std::string answer_;  // to be written
};

}  // namespace sallyport::gateway
