#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace sallyport::bench {

enum class Shape {
  text,     ///< one long member of ASCII words: a chat message
  records,  ///< a list of small objects with numbers, escapes and letters beyond ASCII: an application's state
};

/// A message of exactly `size` bytes (64 at least): a JSON object with the members `type` and `room`, which differs by
/// its sequence number alone.
class Payload {
 public:
  static constexpr std::size_t smallest = 64;

  Payload(Shape shape, std::size_t size);

  std::size_t size() const { return text_.size(); }
  /// Lifetime: until the next call.
  std::string_view numbered(std::uint64_t sequence);

 private:
  std::string text_;
};

}  // namespace sallyport::bench
