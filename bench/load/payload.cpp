#include "payload.h"

namespace sallyport::bench {

namespace {

constexpr std::string_view head = R"({"type":"chat.send","room":"r1","seq":")";
constexpr std::size_t digits = 16;
constexpr std::string_view middle = R"(","t":)";
constexpr std::string_view words = "It was a bright cold day in April, and the clocks were striking thirteen. ";
constexpr std::string_view record =
    R"({"id":48213,"name":"Zo\u00eb","note":"caf\u00e9 – déjà vu","price":12.50,"in":true,"tags":["a","b"]})";

}  // namespace

Payload::Payload(Shape shape, std::size_t size) : text_(head) {
  text_.append(digits, '0');
  text_ += middle;
  if (shape == Shape::records && size >= text_.size() + record.size() + 16) {
    text_ += '[';
    while (text_.size() + record.size() + 8 < size) text_.append(record) += ',';
    text_ += '"';
    text_.append(size - text_.size() - 3, 'x');
    text_ += "\"]}";
    return;
  }
  text_ += '"';
  while (text_.size() + 2 < size) text_ += words.substr(0, size - 2 - text_.size());
  text_ += "\"}";
}

std::string_view Payload::numbered(std::uint64_t sequence) {
  for (std::size_t i = digits; i > 0; --i, sequence >>= 4) {
    text_[head.size() + i - 1] = "0123456789abcdef"[sequence & 15];
  }
  return text_;
}

}  // namespace sallyport::bench
