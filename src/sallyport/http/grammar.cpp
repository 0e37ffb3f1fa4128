#include "sallyport/http/grammar.h"

#include <algorithm>

namespace sallyport::http {

bool is_token(std::string_view text) { return !text.empty() && std::all_of(text.begin(), text.end(), is_token_char); }

bool is_field_value(std::string_view text) {
  return trimmed(text).size() == text.size() && std::all_of(text.begin(), text.end(), is_field_char);
}

bool equal_ignoring_case(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](char x, char y) { return to_lower(x) == to_lower(y); });
}

std::string lowered(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(), to_lower);
  return out;
}

std::string folded_name(std::string_view name) {
  std::string out(name);
  std::transform(out.begin(), out.end(), out.begin(), [](char c) { return is_alnum(c) ? to_lower(c) : '-'; });
  return out;
}

bool is_utf8(std::string_view text) {
  std::size_t at = 0;
  const auto byte = [&](std::size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U; };
  const auto between = [](unsigned value, unsigned low, unsigned high) { return value >= low && value <= high; };
  while (at < text.size()) {
    const unsigned first = byte(at);
    std::size_t more = 0;
    unsigned low = 0x80;
    unsigned high = 0xbf;
    if (first < 0x80) {
      ++at;
      continue;
    }
    if (between(first, 0xc2, 0xdf)) {
      more = 1;
    } else if (between(first, 0xe0, 0xef)) {
      more = 2;
      if (first == 0xe0) low = 0xa0;
      if (first == 0xed) high = 0x9f;
    } else if (between(first, 0xf0, 0xf4)) {
      more = 3;
      if (first == 0xf0) low = 0x90;
      if (first == 0xf4) high = 0x8f;
    } else {
      return false;
    }
    if (!between(byte(at + 1), low, high)) return false;
    for (std::size_t i = 2; i <= more; ++i) {
      if (!between(byte(at + i), 0x80, 0xbf)) return false;
    }
    at += more + 1;
  }
  return true;
}

std::string_view trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return text.substr(0, 0);
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

std::vector<std::string_view> split_list(std::string_view value) {
  std::vector<std::string_view> out;
  while (true) {
    const auto comma = value.find(',');
    out.push_back(trimmed(value.substr(0, comma)));
    if (comma == std::string_view::npos) return out;
    value.remove_prefix(comma + 1);
  }
}

}  // namespace sallyport::http
