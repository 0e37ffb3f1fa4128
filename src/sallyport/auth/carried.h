#pragma once

#include <string>
#include <string_view>

#include "sallyport/auth/identity.h"
#include "sallyport/base/result.h"

namespace sallyport::auth {

/// What was proved, as text for the store, so that it can be taken up again by another connection or instance. `grounds` and `parts`
/// stay behind: they belong to the process that made them.
std::string carried_text(const Proven& proven);

/// The reverse of carried_text().
/// Trust:  `text` came out of the store, which somebody else may have written into.
/// Errors: `credential.invalid` for what carried_text() would not have written, and for texts that is_clean() refuses.
Result<Proven> parse_carried(std::string_view text);

}  // namespace sallyport::auth
