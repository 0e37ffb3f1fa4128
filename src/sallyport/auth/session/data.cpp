#include "sallyport/auth/session/data.h"

#include <algorithm>

#include "sallyport/auth/claims.h"

namespace sallyport::auth::session {
namespace {

Error no_path(std::string_view text, const char* what) {
  return Error{Reason::config_invalid, "\"" + std::string(text.substr(0, 60)) + "\" " + what};
}

std::size_t count_values(const json::Value& value) {
  std::size_t count = 1;
  if (const json::Array* array = value.array()) {
    for (const json::Value& item : *array) count += count_values(item);
  } else if (const json::Object* object = value.object()) {
    for (const auto& [name, member] : *object) count += count_values(member);
  }
  return count;
}

}  // namespace

Result<DataPath> DataPath::parse(std::string_view text) {
  DataPath path;
  path.text_ = text;
  const bool is_pointer = text.starts_with('/');
  const char separator = is_pointer ? '/' : '.';
  if (text.empty()) return no_path(text, "names no place");
  std::string_view rest = is_pointer ? text.substr(1) : text;
  while (true) {
    const auto end = std::min(rest.find(separator), rest.size());
    const std::string_view piece = rest.substr(0, end);
    if (!is_pointer && piece.empty()) return no_path(text, "has an empty name in it; write it as a JSON pointer");
    auto name = is_pointer ? unescape_pointer(piece) : std::optional<std::string>(piece);
    if (!name) return no_path(text, "has a ~ that is neither ~0 nor ~1");
    path.names_.push_back(std::move(*name));
    if (end == rest.size()) break;
    rest.remove_prefix(end + 1);
  }
  if (path.names_.size() > static_cast<std::size_t>(max_depth)) return no_path(text, "is deeper than any session");
  return path;
}

Result<const json::Value*> DataPath::find(const SessionData& data) const {
  for (const Unreadable& one : data.unreadable) {
    if (one.at.size() <= names_.size() && std::equal(one.at.begin(), one.at.end(), names_.begin())) {
      return unsound("session: '" + text_ + "' leads to " + one.what);
    }
  }
  const json::Value* value = &data.values;
  for (const std::string& name : names_) {
    value = member_or_element(*value, name);
    if (!value) return nullptr;
  }
  return value->is_null() ? nullptr : value;
}

std::string_view foreign_serialization(std::string_view text) {
  const auto byte = [&](std::size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U; };
  if (byte(0) == 0x80 && byte(1) >= 2 && byte(1) <= 5 && text.size() > 2) return "a Python pickle";
  if (text.starts_with("(dp") || text.starts_with("(lp")) return "a Python pickle";
  if (byte(0) == 0x04 && byte(1) == 0x08) return "a Ruby Marshal dump";
  if (text.starts_with("\xac\xed")) return "a serialized Java object";
  if (text.starts_with(std::string_view("\0\0\0\2", 4)) || text.starts_with(std::string_view("\0\0\0\1", 4))) {
    return "an igbinary dump";
  }
  return {};
}

Result<SessionData> parse_json_session(std::string_view text, std::string_view advice) {
  if (text.size() > max_stored_size) return unsound("session: longer than any that is read");
  if (const std::string_view foreign = foreign_serialization(text); !foreign.empty()) {
    return unsound("session: " + std::string(foreign) + ", which is never loaded; " + std::string(advice));
  }
  auto values = json::parse(text, max_depth);
  if (!values) return unsound("session: not JSON (" + values.error().detail + "); " + std::string(advice));
  if (!values->object()) return unsound("session: JSON, but no object");
  if (count_values(*values) > max_values) return unsound("session: more values than are read");
  SessionData data;
  data.values = std::move(*values);
  return data;
}

bool is_utf8(std::string_view text) {
  for (std::size_t i = 0; i < text.size();) {
    const auto lead = static_cast<unsigned char>(text[i]);
    const std::size_t size = lead < 0x80   ? 1
                             : lead < 0xc2 ? 0
                             : lead < 0xe0 ? 2
                             : lead < 0xf0 ? 3
                             : lead < 0xf5 ? 4
                                           : 0;
    if (size == 0 || text.size() - i < size) return false;
    for (std::size_t k = 1; k < size; ++k) {
      if ((static_cast<unsigned char>(text[i + k]) & 0xc0) != 0x80) return false;
    }
    if (size > 2) {
      // Shorter forms, surrogates, beyond U+10FFFF: the second byte tells.
      const auto second = static_cast<unsigned char>(text[i + 1]);
      if ((lead == 0xe0 && second < 0xa0) || (lead == 0xed && second > 0x9f) || (lead == 0xf0 && second < 0x90) ||
          (lead == 0xf4 && second > 0x8f)) {
        return false;
      }
    }
    i += size;
  }
  return true;
}

}  // namespace sallyport::auth::session
