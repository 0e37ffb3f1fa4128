#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "sallyport/base/clock.h"
#include "sallyport/base/result.h"

/// Steps that the cookies of several frameworks share.
namespace sallyport::auth::session {

/// `text` with its percent escapes undone; a plus stays one.
/// Trust:  `text` is hostile. Errors: `credential.invalid` for an escape that is none.
Result<std::string> percent_decode(std::string_view text);

/// What zlib compressed into `text` (RFC 1950).
/// Trust:  `text` is as hostile as whoever signed it; at most `most` bytes come out and no more are ever held.
/// Errors: `credential.invalid` when it is no zlib stream, is not whole, has bytes behind it, or holds more than `most`.
Result<std::string> inflate(std::string_view text, std::size_t most);

/// The moment that `2026-12-06T10:36:19.898Z` names, with fraction or without; also with a space between date and time, and with an
/// offset instead of the Z. Without either it is UTC.
/// Trust: `text` is hostile. Nothing when it is no such text.
std::optional<WallTime> parse_time(std::string_view text);

/// Whether all of `text` is ASCII letters, digits and those in `others`, and its size is between the bounds, both included.
bool is_id(std::string_view text, std::size_t least, std::size_t most, std::string_view others);

}  // namespace sallyport::auth::session
