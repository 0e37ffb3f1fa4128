#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "sallyport/base/bytes.h"

namespace sallyport {

/// Bytes that must never be printed: a key, a token, a cookie. Wiped when destroyed; has no stream operator, does not convert
/// to text, and Log::Event refuses it at compile time. Moves, does not copy.
class Secret {
 public:
  Secret() = default;
  explicit Secret(std::string bytes) : bytes_(std::move(bytes)) {}
  Secret(Secret&& other) noexcept { swap(other); }
  Secret& operator=(Secret&& other) noexcept {
    swap(other);
    return *this;
  }
  Secret(const Secret&) = delete;
  Secret& operator=(const Secret&) = delete;
  ~Secret() { wipe(); }

  /// The bytes themselves; every use is a place to look at in review.
  std::string_view reveal() const { return bytes_; }
  Bytes bytes() const { return bytes_of(bytes_); }
  bool empty() const { return bytes_.empty(); }
  std::size_t size() const { return bytes_.size(); }
  Secret clone() const { return Secret(bytes_); }

 private:
  void swap(Secret& other) noexcept { bytes_.swap(other.bytes_); }
  void wipe() {
    volatile char* at = bytes_.data();
    for (std::size_t left = bytes_.size(); left > 0; --left) *at++ = 0;
  }
  std::string bytes_;
};

}  // namespace sallyport
