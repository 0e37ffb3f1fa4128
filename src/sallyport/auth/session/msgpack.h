#pragma once

#include <string_view>

#include "sallyport/auth/session/data.h"

namespace sallyport::auth::session {

/// The map that `stored` is in MessagePack. Binary values, extensions (times among them), numbers beyond 64 bits or not finite, and
/// texts that are not UTF-8 are noted as unreadable. A name may be an integer; it becomes its digits.
/// Trust:  `stored` is hostile in form.
/// Errors: `credential.invalid` when it is no map, not whole, has bytes behind it, names anything twice, or goes beyond the bounds of
///         data.h.
Result<SessionData> parse_msgpack_session(std::string_view stored);

}  // namespace sallyport::auth::session
