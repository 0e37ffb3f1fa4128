#include "sallyport/auth/claims.h"

#include <algorithm>
#include <charconv>

namespace sallyport::auth {
std::optional<std::string> unescape_pointer(std::string_view escaped) {
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

const json::Value* member_or_element(const json::Value& value, std::string_view name) {
  const json::Array* array = value.array();
  if (!array) return value.find(name);
  std::size_t index = 0;
  const char* end = name.data() + name.size();
  const auto [stop, trouble] = std::from_chars(name.data(), end, index);
  const bool is_index =
      !name.empty() && stop == end && trouble == std::errc() && (name.size() == 1 || name.front() != '0');
  return is_index && index < array->size() ? &(*array)[index] : nullptr;
}

const json::Value* find_claim(const json::Value& payload, std::string_view name) {
  if (!name.starts_with('/')) return payload.find(name);
  const json::Value* value = &payload;
  while (value && !name.empty()) {
    name.remove_prefix(1);
    const std::size_t end = std::min(name.find('/'), name.size());
    const auto step = unescape_pointer(name.substr(0, end));
    value = step ? member_or_element(*value, *step) : nullptr;
    name.remove_prefix(end);
  }
  return value;
}

std::string top_level_name(std::string_view name) {
  if (!name.starts_with('/')) return std::string(name);
  name.remove_prefix(1);
  return unescape_pointer(name.substr(0, name.find('/'))).value_or(std::string());
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
