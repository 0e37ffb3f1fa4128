#pragma once

#include <memory>
#include <mutex>
#include <unordered_map>

#include "sallyport/net/loop.h"

namespace sallyport::auth {

/// One T for each loop, made when it is first asked for: what an authenticator, which all loops share, keeps for the coroutines of one.
/// Threads: at() any; the T is the loop's own.
template <class T>
class PerLoop {
 public:
  /// Lifetime: the result's is this object's.
  T& at(const net::Loop& loop) {
    const std::scoped_lock lock(mutex_);
    std::unique_ptr<T>& found = of_loops_[&loop];
    if (!found) found = std::make_unique<T>();
    return *found;
  }

 private:
  std::mutex mutex_;
  std::unordered_map<const net::Loop*, std::unique_ptr<T>> of_loops_;
};

}  // namespace sallyport::auth
