#include "sallyport/protocol/json/pointer.h"

#include <algorithm>

namespace sallyport::protocol {
namespace {

constexpr std::size_t max_names = 8;
constexpr std::size_t max_name = 64;

Error invalid(const char* what) { return Error{Reason::config_invalid, what}; }

}  // namespace

Result<JsonPointer> JsonPointer::parse(std::string_view text) {
  if (!text.starts_with('/')) return invalid("a JSON pointer begins with a slash");
  std::vector<std::string> names;
  for (const char c : text) {
    if (c < ' ' || c > '~') return invalid("a JSON pointer with names in printable ASCII expected");
  }
  while (!text.empty()) {
    text.remove_prefix(1);
    const std::string_view written = text.substr(0, text.find('/'));
    text.remove_prefix(written.size());
    std::string name;
    for (std::size_t i = 0; i < written.size(); ++i) {
      if (written[i] != '~') {
        name += written[i];
        continue;
      }
      const char escaped = ++i < written.size() ? written[i] : '\0';
      if (escaped != '0' && escaped != '1') return invalid("~ stands only in ~0 for itself and in ~1 for a slash");
      name += escaped == '0' ? '~' : '/';
    }
    if (name.empty()) return invalid("a JSON pointer without empty names expected");
    if (name.size() > max_name) return invalid("a name in a JSON pointer is at most 64 bytes long");
    names.push_back(std::move(name));
  }
  if (names.size() > max_names) return invalid("a JSON pointer has at most 8 names");
  return JsonPointer(std::move(names));
}

bool JsonPointer::covers(const JsonPointer& other) const {
  return names_.size() <= other.names_.size() && std::equal(names_.begin(), names_.end(), other.names_.begin());
}

}  // namespace sallyport::protocol
