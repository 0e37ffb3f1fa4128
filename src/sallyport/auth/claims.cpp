#include "sallyport/auth/claims.h"

#include <algorithm>
#include <charconv>
#include <optional>

namespace sallyport::auth {
namespace {

// A reference token of a JSON pointer without its escapes; nothing when they are none of RFC 6901 §3.
std::optional<std::string> unescape(std::string_view escaped) {
  std::string name;
  for (std::size_t i = 0; i < escaped.size(); ++i) {
    if (escaped[i] != '~') {
      name.push_back(escaped[i]);
    } else if (++i < escaped.size() && (escaped[i] == '0' || escaped[i] == '1')) {
      name.push_back(escaped[i] == '0' ? '~' : '/');
    } else {
      return std::nullopt;
    }
  }
  return name;
}

// One step of a JSON pointer: a member, or an element by its decimal index (RFC 6901 §4).
const json::Value* step(const json::Value& value, std::string_view escaped) {
  if (const json::Array* array = value.array()) {
    std::size_t index = 0;
    const char* end = escaped.data() + escaped.size();
    const auto [stop, trouble] = std::from_chars(escaped.data(), end, index);
    const bool is_index =
        !escaped.empty() && stop == end && trouble == std::errc() && (escaped.size() == 1 || escaped[0] != '0');
    return is_index && index < array->size() ? &(*array)[index] : nullptr;
  }
  const std::optional<std::string> name = unescape(escaped);
  return name ? value.find(*name) : nullptr;
}

}  // namespace

const json::Value* find_claim(const json::Value& payload, std::string_view name) {
  if (!name.starts_with('/')) return payload.find(name);
  const json::Value* value = &payload;
  while (value && !name.empty()) {
    name.remove_prefix(1);
    const std::size_t end = std::min(name.find('/'), name.size());
    value = step(*value, name.substr(0, end));
    name.remove_prefix(end);
  }
  return value;
}

std::string top_level_name(std::string_view name) {
  if (!name.starts_with('/')) return std::string(name);
  name.remove_prefix(1);
  return unescape(name.substr(0, name.find('/'))).value_or(std::string());
}

json::Value keep_claims(const json::Value& claims, std::span<const std::string> names) {
  json::Object kept;
  if (const json::Object* all = claims.object()) {
    for (const auto& member : *all) {
      if (std::ranges::find(names, member.first) != names.end()) kept.push_back(member);
    }
  }
  return kept.empty() ? json::Value() : json::Value(std::move(kept));
}

}  // namespace sallyport::auth
