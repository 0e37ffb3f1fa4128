#include "sallyport/ws/compose.h"

#include "sallyport/ws/close.h"

namespace sallyport::ws {
namespace {

void append(std::string& out, FrameHeader header, Bytes payload, std::optional<Mask> mask) {
  header.payload_length = payload.size();
  header.masked = mask.has_value();
  header.mask = mask.value_or(Mask{});
  std::array<Byte, max_header_length> head;
  out.append(text_of(Bytes(head).first(write_header(head, header))));
  const std::size_t body = out.size();
  out.append(text_of(payload));
  if (mask) {
    const MutableBytes copy(reinterpret_cast<Byte*>(out.data()) + body, payload.size());
    unmask(copy, copy, *mask);
  }
}

}  // namespace

void append_frame(std::string& out, Opcode opcode, Bytes payload, std::optional<Mask> mask) {
  SALLYPORT_CHECK(!is_control(opcode) || payload.size() <= max_control_payload);
  append(out, {.opcode = opcode}, payload, mask);
}

void append_compressed(std::string& out, Opcode opcode, Bytes payload, std::optional<Mask> mask) {
  SALLYPORT_CHECK(opcode == Opcode::text || opcode == Opcode::binary);
  append(out, {.compressed = true, .opcode = opcode}, payload, mask);
}

void append_close(std::string& out, std::uint16_t code, std::string_view reason, std::optional<Mask> mask) {
  std::string payload;
  if (is_valid_on_wire(code)) {
    if (reason.size() > max_close_reason) {
      std::size_t end = max_close_reason;
      while (end > 0 && (static_cast<Byte>(reason[end]) & 0xc0) == 0x80) --end;
      reason = reason.substr(0, end);
    }
    payload += static_cast<char>(code >> 8);
    payload += static_cast<char>(code & 0xff);
    payload += reason;
  }
  append_frame(out, Opcode::close, bytes_of(payload), mask);
}

}  // namespace sallyport::ws
