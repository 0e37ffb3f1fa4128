#include "sallyport/ws/close.h"

#include "sallyport/ws/utf8.h"

namespace sallyport::ws {

Result<CloseInfo> parse_close_payload(Bytes payload) {
  if (payload.empty()) return CloseInfo{};
  if (payload.size() == 1) return Error{Reason::frame_malformed, "close payload of one byte"};
  if (payload.size() > 2 + max_close_reason) return Error{Reason::frame_malformed, "close payload over 125 bytes"};
  const auto code = static_cast<std::uint16_t>(payload[0] << 8 | payload[1]);
  if (!is_valid_on_wire(code)) return Error{Reason::frame_malformed, "close code " + std::to_string(code)};
  const Bytes reason = payload.subspan(2);
  Utf8Validator utf8;
  if (!utf8.add(reason) || !utf8.complete()) return Error{Reason::message_not_utf8, "close reason is not UTF-8"};
  return CloseInfo{code, std::string(text_of(reason))};
}

}  // namespace sallyport::ws
