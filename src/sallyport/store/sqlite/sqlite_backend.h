#pragma once

#include <memory>

#include "sallyport/store/backend.h"
#include "sallyport/store/sqlite/config.h"

namespace sallyport::store {

/// Keeps everything in one SQLite file; see README.md here.
/// Lifetime: lives on, threads included, until the last Store that it opened is destroyed.
class SqliteBackend final : public Backend {
 public:
  /// Opens or creates the file and brings its schema up to date. Blocks: for the start of the program.
  /// Errors: `config.invalid` when the path cannot hold the database, saying how to put it right; `store.unavailable`
  /// when
  ///         SQLite cannot use it now.
  static Result<std::unique_ptr<SqliteBackend>> make(SqliteConfig config);
  ~SqliteBackend() override;

  std::unique_ptr<Store> open(net::Loop& loop) override;
  std::string_view name() const override { return "sqlite"; }

 private:
  struct Core;
  class LoopStore;
  explicit SqliteBackend(std::shared_ptr<Core> core);

  std::shared_ptr<Core> core_;
};

}  // namespace sallyport::store
