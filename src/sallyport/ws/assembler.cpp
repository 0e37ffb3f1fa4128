#include "sallyport/ws/assembler.h"

#include <algorithm>
#include <cstring>

#include "sallyport/ws/close.h"

namespace sallyport::ws {
namespace {

// A declared length is reserved at once up to here; beyond, the buffer grows with what really arrives.
constexpr std::size_t reserve_at_once = 256 * 1024;

// What no deflate, however small its buffers, makes of `size` bytes: stored blocks are 5 bytes longer than their content.
constexpr std::size_t most_compressed(std::size_t size) { return size + size / 8 + 64; }

Unit::Kind kind_of(Opcode opcode) {
  switch (opcode) {
    case Opcode::text:
      return Unit::Kind::text;
    case Opcode::ping:
      return Unit::Kind::ping;
    case Opcode::pong:
      return Unit::Kind::pong;
    case Opcode::close:
      return Unit::Kind::close;
    default:
      return Unit::Kind::binary;
  }
}

}  // namespace

Bytes Unit::unmask_into(MutableBytes scratch) const {
  if (!fragmented) {
    const Bytes masked = wire.subspan(first.header_length);
    if (!first.masked) return masked;
    unmask(masked, scratch, first.mask);
    return scratch.first(masked.size());
  }
  SALLYPORT_CHECK(scratch.size() >= payload_size);
  const Role from = first.masked ? Role::client : Role::server;
  std::size_t written = 0;
  for (Bytes left = wire; !left.empty();) {
    const auto header = parse_header(left, from, Extension::deflate);
    SALLYPORT_CHECK(header.ok() && header->has_value());
    const Bytes masked = left.subspan((*header)->header_length, (*header)->payload_length);
    unmask(masked, scratch.subspan(written), (*header)->mask);
    written += masked.size();
    left = left.subspan((*header)->header_length + masked.size());
  }
  return scratch.first(written);
}

void Assembler::feed(Bytes input) {
  if (rest_.empty()) {
    SALLYPORT_CHECK(!has_rest());
    input_ = input;
    start_ = at_ = 0;
    return;
  }
  rest_.erase(rest_.begin(), rest_.begin() + static_cast<std::ptrdiff_t>(start_));
  at_ -= start_;
  start_ = 0;
  rest_.insert(rest_.end(), input.begin(), input.end());
  input_ = rest_;
}

void Assembler::keep_rest() {
  if (!rest_.empty() || !has_rest()) return;
  SALLYPORT_CHECK(start_ == at_);
  const Bytes rest = input_.subspan(at_);
  rest_.assign(rest.begin(), rest.end());
  input_ = rest_;
  start_ = at_ = 0;
}

std::size_t Assembler::wanted() const {
  const std::size_t held = held_.size() + (at_ - start_);
  return in_frame_ ? held + static_cast<std::size_t>(frame_.payload_length - seen_) : held;
}

Result<Unit> Assembler::next() {
  if (failed_) return Error{failure_, "after an earlier error"};
  if (handed_out_held_) forget();
  for (;;) {
    if (!in_frame_) {
      if (at_ == input_.size() || closed_) return absorb();
      auto complete = read_header();
      if (!complete.ok()) return fail(complete.error().reason, complete.error().detail.c_str());
      if (!*complete) return absorb();
      if (auto allowed = check_frame(); !allowed.ok()) {
        return fail(allowed.error().reason, allowed.error().detail.c_str());
      }
    }

    const Bytes ahead = input_.subspan(at_);
    const Bytes payload = ahead.first(std::min<std::uint64_t>(frame_.payload_length - seen_, ahead.size()));
    const bool control = is_control(frame_.opcode);
    if (!control && must_be_utf8() && !utf8_.add_masked(payload, frame_.mask, seen_)) {
      return fail(Reason::message_not_utf8, "text is not UTF-8");
    }
    at_ += payload.size();
    seen_ += payload.size();
    if (seen_ < frame_.payload_length) return absorb();

    in_frame_ = false;
    if (control) return finish_control();
    if (frame_.fin) {
      if (must_be_utf8() && !utf8_.complete()) {
        return fail(Reason::message_not_utf8, "text ends inside a character");
      }
      return finish_message();
    }
    in_message_ = true;
  }
}

Result<Unit> Assembler::fail(Reason reason, const char* detail) {
  Error error{reason, detail};
  failed_ = true;
  failure_ = reason;
  input_ = {};
  start_ = at_ = 0;
  held_ = Buffer();
  rest_ = Buffer();
  return error;
}

/// Reads the header at at_, of which the first partial_header_ bytes may be in held_ already; false when it is
/// incomplete.
Result<bool> Assembler::read_header() {
  const Bytes ahead = input_.subspan(at_);
  std::size_t taken = 0;
  if (partial_header_ == 0) {
    TRY(const auto header, parse_header(ahead, from_, agreed_));
    frame_start_ = at_;
    frame_held_ = false;
    if (!header) {
      at_ = input_.size();
      partial_header_ = static_cast<std::uint8_t>(ahead.size());
      return false;
    }
    frame_ = *header;
    taken = frame_.header_length;
  } else {
    std::array<Byte, max_header_length> joined;
    const std::size_t fresh = std::min(ahead.size(), joined.size() - partial_header_);
    std::memcpy(joined.data(), held_.data() + held_.size() - partial_header_, partial_header_);
    std::memcpy(joined.data() + partial_header_, ahead.data(), fresh);
    TRY(const auto header, parse_header(Bytes(joined.data(), partial_header_ + fresh), from_, agreed_));
    frame_start_ = held_.size() - partial_header_;
    frame_held_ = true;
    if (!header) {
      // Nothing of the input is left: a whole header always fits `joined`.
      at_ = input_.size();
      partial_header_ = static_cast<std::uint8_t>(partial_header_ + fresh);
      return false;
    }
    frame_ = *header;
    taken = frame_.header_length - partial_header_;
  }
  partial_header_ = 0;
  at_ += taken;
  in_frame_ = true;
  seen_ = 0;
  return true;
}

/// What of RFC 6455 §5.4 needs the frames before this one, and the limits; enters the frame into its message.
Result<void> Assembler::check_frame() {
  if (is_control(frame_.opcode)) return {};
  if (frame_.opcode == Opcode::continuation) {
    if (!in_message_) return Error{Reason::frame_malformed, "continuation without a start"};
  } else {
    if (in_message_) return Error{Reason::frame_malformed, "new message inside a message"};
    first_ = frame_;
    message_payload_ = 0;
    frames_ = 0;
    utf8_ = {};
  }
  const std::size_t most = first_.compressed ? most_compressed(limits_.message_size) : limits_.message_size;
  if (frame_.payload_length > most - message_payload_) {
    return Error{Reason::message_too_big, "message over " + std::to_string(limits_.message_size) + " bytes"};
  }
  message_payload_ += static_cast<std::size_t>(frame_.payload_length);
  if (++frames_ > limits_.frames + message_payload_ / payload_per_frame) {
    return Error{Reason::message_too_big, "message of over " + std::to_string(limits_.frames) + " tiny frames"};
  }
  return {};
}

Result<Unit> Assembler::finish_control() {
  Unit unit;
  unit.kind = kind_of(frame_.opcode);
  unit.first = frame_;
  unit.payload_size = static_cast<std::size_t>(frame_.payload_length);
  if (frame_held_) {
    hold(input_.subspan(start_, at_ - start_), 0);
    unit.wire = Bytes(held_).subspan(frame_start_);
    handed_out_held_ = true;
    keep_held_ = frame_start_;
  } else {
    // What of a message stands before it would no longer be side by side with what follows.
    if (start_ < frame_start_) hold(input_.subspan(start_, frame_start_ - start_), 0);
    unit.wire = input_.subspan(frame_start_, at_ - frame_start_);
    unit.in_input = rest_.empty();
  }
  start_ = at_;
  if (unit.kind == Unit::Kind::close) {
    std::array<Byte, max_control_payload> payload;
    if (auto info = parse_close_payload(unit.unmask_into(payload)); !info.ok()) {
      return fail(info.error().reason, info.error().detail.c_str());
    }
    closed_ = true;
  }
  return unit;
}

Unit Assembler::finish_message() {
  Unit unit;
  unit.kind = kind_of(first_.opcode);
  unit.fragmented = in_message_;
  unit.first = first_;
  unit.payload_size = message_payload_;
  const Bytes fresh = input_.subspan(start_, at_ - start_);
  if (held_.empty()) {
    unit.wire = fresh;
    unit.in_input = rest_.empty();
  } else {
    hold(fresh, 0);
    unit.wire = held_;
    handed_out_held_ = true;
    keep_held_ = 0;
  }
  start_ = at_;
  in_message_ = false;
  return unit;
}

/// Takes over what is left of the input, none of which completes a unit.
Unit Assembler::absorb() {
  if (closed_) {
    held_ = Buffer();
  } else if (start_ < input_.size()) {
    if ((in_frame_ || partial_header_ > 0) && !frame_held_) {
      frame_start_ = held_.size() + (frame_start_ - start_);
      frame_held_ = true;
    }
    hold(input_.subspan(start_), in_frame_ ? static_cast<std::size_t>(frame_.payload_length - seen_) : 0);
  }
  input_ = {};
  start_ = at_ = 0;
  if (rest_.capacity() > 0) rest_ = Buffer();
  return Unit{};
}

/// Appends to held_, with room for `more` bytes that are announced.
void Assembler::hold(Bytes bytes, std::size_t more) {
  const std::size_t needed = held_.size() + bytes.size();
  if (needed + more > held_.capacity()) {
    std::size_t room = std::min(needed + more, std::max(reserve_at_once, 2 * needed));
    // Each fragment announces only itself: growing by half keeps the copying of a message of many in proportion to it.
    if (in_message_) room = std::max(room, held_.capacity() + held_.capacity() / 2);
    held_.reserve(room);
  }
  held_.insert(held_.end(), bytes.begin(), bytes.end());
}

/// Lets go of the unit that was handed out from held_.
void Assembler::forget() {
  handed_out_held_ = false;
  if (keep_held_ == 0) {
    held_ = Buffer();
  } else {
    held_.resize(keep_held_);
  }
}

}  // namespace sallyport::ws
