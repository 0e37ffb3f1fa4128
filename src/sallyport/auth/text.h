#pragma once

#include <algorithm>
#include <string_view>

namespace sallyport::auth {

/// Whether `text` may stand in an Identity: it holds no control character (C0, DEL, C1) and neither begins nor ends with a space, so
/// that the header which carries it to a backend cannot be cut, and no two subjects become one there.
inline bool is_clean(std::string_view text) {
  if (!text.empty() && (text.front() == ' ' || text.back() == ' ')) return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    if (byte < 0x20 || byte == 0x7f) return false;
    if (byte == 0xc2 && i + 1 < text.size() && static_cast<unsigned char>(text[i + 1]) < 0xa0) return false;
  }
  return true;
}

}  // namespace sallyport::auth
