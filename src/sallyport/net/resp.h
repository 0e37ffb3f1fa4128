#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sallyport/base/result.h"

/// The protocol of Redis, version 2 (RESP2). Pure: bytes in, values out.
namespace sallyport::net {

/// An answer of Redis. A value.
struct RespReply {
  enum class Kind : std::uint8_t { simple, error, integer, bulk, nil, array };
  Kind kind = Kind::nil;
  std::string text;          ///< of simple, error and bulk
  std::int64_t integer = 0;  ///< of integer
  std::vector<RespReply> items;

  bool operator==(const RespReply&) const = default;
};

struct RespLimits {
  std::size_t text = 2 * 1024 * 1024;  ///< bytes of one text
  std::size_t items = 100'000;         ///< in all arrays of an answer together
  std::size_t depth = 4;               ///< arrays in arrays
};

struct RespParsed {
  RespReply reply;
  std::size_t size;  ///< bytes that it took
};

/// The answer that `bytes` begin with, or nullopt while it is not complete.
/// Trust:  `bytes` are hostile. Errors: `upstream.protocol`: what comes is no answer, or beyond `limits`.
Result<std::optional<RespParsed>> parse_resp(std::string_view bytes, const RespLimits& limits = {});

/// A command with its arguments, which may hold any bytes.
std::string resp_command(const std::vector<std::string_view>& words);

}  // namespace sallyport::net
