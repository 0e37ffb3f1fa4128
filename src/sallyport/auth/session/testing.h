#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "sallyport/auth/session/session.h"

/// A store of sessions without a server, and cookies as frameworks make them.
namespace sallyport::auth::session::testing {

/// What it holds, and how it answers, is the test's to say.
class FakeSource final : public SessionSource {
 public:
  enum class Way : std::uint8_t { up, down, silent };

  std::map<std::string, StoredSession, std::less<>> sessions;
  Way way = Way::up;
  std::vector<std::vector<std::string>> asked;  ///< each question, in its order
  Changed changed;

  net::Task<Result<std::vector<std::optional<StoredSession>>>> find_many(std::vector<std::string> keys, net::Loop& here,
                                                                         net::Deadline deadline) override {
    asked.push_back(keys);
    if (way == Way::down) co_return Error{Reason::store_unavailable, "the store is gone"};
    if (way == Way::silent) {
      net::Waiter waiter(here);
      CO_TRY_OK(co_await waiter.wait_for(net::Waiter::readable, deadline));
    }
    std::vector<std::optional<StoredSession>> found;
    for (const std::string& key : keys) {
      const auto at = sessions.find(key);
      found.push_back(at == sessions.end() ? std::nullopt : std::optional(at->second));
    }
    co_return found;
  }

  std::unique_ptr<SourceWatch> watch(net::Loop&, Changed told) override {
    struct Quiet final : SourceWatch {
      std::string trouble() const override { return {}; }
    };
    changed = std::move(told);
    return std::make_unique<Quiet>();
  }
};

}  // namespace sallyport::auth::session::testing
