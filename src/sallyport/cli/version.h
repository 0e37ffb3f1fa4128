#pragma once

#include <string_view>

namespace sallyport::cli {

inline constexpr std::string_view version = "0.1.0";

}  // namespace sallyport::cli
