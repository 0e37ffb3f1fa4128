#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "sallyport/auth/session/source.h"
#include "sallyport/auth/session/sources/errand.h"

namespace sallyport::auth {

using FoundSessions = std::vector<std::optional<StoredSession>>;

/// Takes keys that check_session_key() allows to whoever answers, within the time given.
using SendKeys =
    std::function<void(std::vector<std::string> keys, Duration left, std::shared_ptr<Errand<FoundSessions>> errand)>;

/// What SessionSource::find_many() has in common: keys that no store may see lie under nothing, the others are sent, and the caller waits
/// without its loop.
net::Task<Result<FoundSessions>> find_by(SendKeys send, std::vector<std::string> keys, net::Loop& here,
                                         net::Deadline deadline);

}  // namespace sallyport::auth
