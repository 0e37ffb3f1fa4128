#pragma once

#include <vector>

#include "sallyport/base/bytes.h"
#include "sallyport/base/result.h"
#include "sallyport/ws/frame.h"
#include "sallyport/ws/utf8.h"

namespace sallyport::ws {

/// What Assembler::next found: a whole message or a control frame, as it came over the wire.
/// Lifetime: see Assembler.
struct Unit {
  enum class Kind : std::uint8_t { need_more, text, binary, ping, pong, close };

  Kind kind = Kind::need_more;
  bool in_input = false;    ///< `wire` lies in the bytes that were fed, not in the Assembler's own buffer
  bool fragmented = false;  ///< the message came in several frames
  FrameHeader first;        ///< the header of its only, or first, frame
  std::size_t payload_size = 0;
  Bytes wire;  ///< the original bytes, headers and masked payload, of all its frames and nothing else

  bool is_message() const { return kind == Kind::text || kind == Kind::binary; }
  bool is_control() const { return kind >= Kind::ping; }

  /// The payload, unmasked and without frame headers. Nothing is copied for a single unmasked frame; otherwise it is
  /// written to the front of `scratch`, which holds `payload_size` bytes at least.
  /// Trust:    the content is hostile, except that a text that is not compressed is UTF-8 and a close payload passed parse_close_payload.
  /// Lifetime: as long as both `wire` and `scratch`.
  Bytes unmask_into(MutableBytes scratch) const;
};

/// Cuts what one peer sends into whole messages and control frames, so that a message can be judged before one byte of
/// it goes on. The bytes themselves are not changed.
///
///     assembler.feed(bytes_just_read);
///     for (;;) {
///       TRY(const Unit unit, assembler.next());
///       if (unit.kind == Unit::Kind::need_more) break;  // all that was fed is taken in: the read buffer is free
///       ...
///       if (other_side_is_full) { assembler.keep_rest(); break; }   // later: next() again, without a feed()
///     }
///
/// A message that lies whole in what was fed is a view into it. What is incomplete at the end is kept in a buffer of
/// the Assembler, reserved by the declared length and given back with the message; each byte is copied, unmasked and
/// validated once, however small the pieces.
/// Between messages no memory is held.
///
/// Errors:   `frame.malformed`, `message.not_utf8` at the first bad byte, `message.too_big` by the declared length,
///           close payloads as parse_close_payload; nothing else.
///           The first error is final: next() repeats it.
/// Spec:     RFC 6455 §5, §8.1; RFC 7692 §6 where it was agreed on: whether what is in a compressed message is UTF-8
///           is for whoever inflates it to see.
///           Bytes after a close frame are dropped (§5.5.1).
/// Lifetime: bytes given to feed() are viewed until next() says need_more or keep_rest() is called.
///           A Unit with `in_input` is valid as long as those bytes are, so that runs of such units can be written at
///           once; any other only until the next call.
class Assembler {
 public:
  /// A frame that carries so much is no burden beyond its payload.
  static constexpr std::size_t payload_per_frame = 64;

  struct Limits {
    /// Payload bytes of one message. A compressed one may be as much longer as deflate can make what it cannot
    /// shorten.
    std::size_t message_size = 64 * 1024;
    /// Frames of one message, beyond one for each `payload_per_frame` bytes of its payload: bounds what empty and tiny
    /// fragments can cost, and lets a long message come in short frames. More are `message.too_big`.
    std::uint32_t frames = 1024;
  };

  Assembler(Role from, Limits limits, Extension agreed = Extension::none)
      : limits_(limits), from_(from), agreed_(agreed) {}
  Assembler(const Assembler&) = delete;
  Assembler& operator=(const Assembler&) = delete;

  /// Takes the next bytes of the stream. All that was fed before has been pulled or kept; behind a kept rest they are
  /// copied.
  void feed(Bytes input);

  /// The next unit, or need_more.
  Result<Unit> next();

  /// Copies what was fed and not yet pulled, so that the fed bytes may go. next() goes on with it.
  void keep_rest();

  /// True while there are bytes that next() has not looked at.
  bool has_rest() const { return at_ < input_.size(); }
  /// True when a close frame was handed out: nothing will follow.
  bool closed() const { return closed_; }
  /// True inside a message or a frame: the stream must not end here.
  bool in_unit() const { return in_frame_ || in_message_ || partial_header_ > 0; }
  /// Bytes of the message or frame under way that are known to come: a lower bound, from the last header read.
  std::size_t wanted() const;
  /// Memory held now, for accounting.
  std::size_t memory() const { return held_.capacity() + rest_.capacity(); }

 private:
  using Buffer = std::vector<Byte>;

  Result<Unit> fail(Reason reason, const char* detail);
  Result<bool> read_header();
  Result<void> check_frame();
  bool must_be_utf8() const { return first_.opcode == Opcode::text && !first_.compressed; }
  Result<Unit> finish_control();
  Unit finish_message();
  Unit absorb();
  void hold(Bytes bytes, std::size_t more);
  void forget();

  // A message's wire bytes are held_ followed by input_[start_, at_); held_ stays empty while a message lies whole in
  // the input.
  Bytes input_;
  std::size_t start_ = 0;
  std::size_t at_ = 0;
  Buffer held_;
  Buffer rest_;

  FrameHeader frame_;                // the frame under way
  std::uint64_t seen_ = 0;           // bytes of its payload that were looked at
  std::size_t frame_start_ = 0;      // where it begins: in held_ if frame_held_, otherwise in input_
  FrameHeader first_;                // the first frame of the message under way
  std::size_t message_payload_ = 0;  // declared so far
  std::size_t keep_held_ = 0;        // how much of held_ outlives the unit handed out last
  Limits limits_;
  std::uint32_t frames_ = 0;
  std::uint8_t partial_header_ = 0;  // bytes of an incomplete header at the end of held_
  Utf8Validator utf8_;
  Role from_;
  Extension agreed_;
  Reason failure_{};
  bool failed_ = false;
  bool closed_ = false;
  bool in_frame_ = false;
  bool in_message_ = false;  // between the first and the final frame of a fragmented message
  bool frame_held_ = false;
  bool handed_out_held_ = false;
};

}  // namespace sallyport::ws
