#pragma once

#include <memory>
#include <string_view>

#include "sallyport/net/loop.h"
#include "sallyport/store/store.h"

namespace sallyport::store {

/// A store of one kind, opened once per process and shared by its loops.
/// Threads: any.
class Backend {
 public:
  virtual ~Backend() = default;

  /// This loop's access.
  virtual std::unique_ptr<Store> open(net::Loop& loop) = 0;
  /// The name in the configuration: `memory`, `sqlite`.
  virtual std::string_view name() const = 0;
};

}  // namespace sallyport::store
