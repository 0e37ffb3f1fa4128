#include "sallyport/config/environment.h"

#include <algorithm>
#include <cstdlib>

namespace sallyport::config {

Environment empty_environment() {
  return [](std::string_view) -> std::optional<std::string> { return std::nullopt; };
}

Environment process_environment() {
  return [](std::string_view name) -> std::optional<std::string> {
    const char* value = std::getenv(std::string(name).c_str());
    if (value == nullptr) return std::nullopt;
    return std::string(value);
  };
}

std::optional<std::string_view> parse_environment_name(std::string_view text) {
  constexpr std::string_view prefix = "env:";
  if (!text.starts_with(prefix)) return std::nullopt;
  const std::string_view name = text.substr(prefix.size());
  const auto is_word = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
  };
  if (name.empty() || (name[0] >= '0' && name[0] <= '9') || !std::all_of(name.begin(), name.end(), is_word))
    return std::nullopt;
  return name;
}

}  // namespace sallyport::config
