#include "sallyport/auth/opening/opening_parts.h"

namespace sallyport::auth {
namespace {

constexpr Byte connect_packet = 0x10;
constexpr Byte user_name_flag = 0x80;
constexpr Byte password_flag = 0x40;
constexpr Byte will_flag = 0x04;
constexpr Byte will_bits = 0x38;  // QoS and retain
constexpr Byte reserved_flag = 0x01;

Error malformed(const char* what) { return {Reason::message_malformed, what}; }

// Reads from the front of a packet.
class Cursor {
 public:
  explicit Cursor(std::string_view bytes) : bytes_(bytes) {}

  Result<Byte> byte() {
    TRY(const std::string_view one, take(1));
    return static_cast<Byte>(one.front());
  }
  Result<std::string_view> take(std::size_t count) {
    if (count > bytes_.size()) return malformed("a CONNECT packet that is cut off");
    const std::string_view taken = bytes_.substr(0, count);
    bytes_.remove_prefix(count);
    return taken;
  }
  // Two bytes of length, then as many bytes (MQTT 5 §1.5.4, §1.5.6).
  Result<std::string_view> field() {
    TRY(const Byte high, byte());
    TRY(const Byte low, byte());
    return take(static_cast<std::size_t>(high) << 8U | low);
  }
  // A variable byte integer in its shortest form (MQTT 5 §1.5.5).
  Result<std::size_t> number() {
    std::size_t value = 0;
    for (unsigned shift = 0; shift < 28; shift += 7) {
      TRY(const Byte next, byte());
      value |= static_cast<std::size_t>(next & 0x7f) << shift;
      if (next & 0x80) continue;
      if (shift > 0 && next == 0) return malformed("a length that is not in its shortest form");
      return value;
    }
    return malformed("a length of more than four bytes");
  }
  std::string_view rest() const { return bytes_; }

 private:
  std::string_view bytes_;
};

void append_number(std::string& out, std::size_t value) {
  do {
    const auto low = static_cast<Byte>(value & 0x7f);
    value >>= 7;
    out.push_back(static_cast<char>(value > 0 ? low | 0x80 : low));
  } while (value > 0);
}

Result<std::string_view> properties(Cursor& cursor) {
  const std::string_view before = cursor.rest();
  TRY(const std::size_t length, cursor.number());
  TRY_OK(cursor.take(length));
  return before.substr(0, before.size() - cursor.rest().size());
}

}  // namespace

// MQTT 3.1.1 §3.1, MQTT 5 §3.1. What is not looked at goes on as it came.
Result<Opening> parse_mqtt_opening(std::string_view field, std::string_view packets) {
  Cursor outer(packets);
  TRY(const Byte type, outer.byte());
  if (type != connect_packet) return malformed("a CONNECT packet expected first");
  TRY(const std::size_t length, outer.number());
  TRY(const std::string_view body, outer.take(length));

  Cursor packet(body);
  TRY(const std::string_view protocol, packet.field());
  TRY(const Byte level, packet.byte());
  if (protocol != "MQTT" || (level != 4 && level != 5)) return malformed("another protocol than MQTT 3.1.1 or 5");
  TRY(const Byte flags, packet.byte());
  if (flags & reserved_flag) return malformed("the reserved flag is set");
  if (!(flags & will_flag) && (flags & will_bits)) return malformed("flags of a will that is not there");
  TRY_OK(packet.take(2));  // keep alive
  if (level == 5) TRY_OK(properties(packet));
  TRY_OK(packet.field());  // client identifier
  if (flags & will_flag) {
    if (level == 5) TRY_OK(properties(packet));
    TRY_OK(packet.field());
    TRY_OK(packet.field());
  }
  const std::string_view before = body.substr(0, body.size() - packet.rest().size());
  std::string_view user_name;
  std::string_view password;
  if (flags & user_name_flag) {
    TRY(user_name, packet.field());
  }
  if (flags & password_flag) {
    if (level == 4 && !(flags & user_name_flag)) return malformed("a password without a user name");
    TRY(password, packet.field());
  }
  if (!packet.rest().empty()) return malformed("bytes behind the last field");

  const bool in_password = field == "password";
  if (!(flags & (in_password ? password_flag : user_name_flag)))
    return Error{Reason::credential_missing, "no " + std::string(field) + " in the CONNECT packet"};
  TRY(Secret token, bare_credential(in_password ? password : user_name));

  // A password cannot stay without a user name in 3.1.1, so both go with the latter.
  const auto cleared = static_cast<Byte>(in_password ? password_flag : password_flag | user_name_flag);
  std::string bare(before);
  const std::size_t flags_at = 2 + protocol.size() + 1;
  bare[flags_at] = static_cast<char>(flags & ~cleared);
  if (in_password && (flags & user_name_flag)) {
    bare.push_back(static_cast<char>(user_name.size() >> 8));
    bare.push_back(static_cast<char>(user_name.size() & 0xff));
    bare.append(user_name);
  }
  std::string for_backend(1, static_cast<char>(connect_packet));
  append_number(for_backend, bare.size());
  for_backend.append(bare).append(outer.rest());
  return Opening{std::move(token), std::move(for_backend), in_password ? std::string(user_name) : std::string()};
}

}  // namespace sallyport::auth
