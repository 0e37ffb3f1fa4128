#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace sallyport {

using Byte = std::uint8_t;
/// A view of bytes owned elsewhere.
using Bytes = std::span<const Byte>;
using MutableBytes = std::span<Byte>;

inline Bytes bytes_of(std::string_view text) { return {reinterpret_cast<const Byte*>(text.data()), text.size()}; }
inline std::string_view text_of(Bytes bytes) { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }

}  // namespace sallyport
