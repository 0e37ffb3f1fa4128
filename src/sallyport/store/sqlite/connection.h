#pragma once

#include <sys/types.h>

#include <algorithm>
#include <chrono>
#include <optional>
#include <string>

#include "sallyport/store/sqlite/config.h"
#include "sallyport/store/sqlite/database.h"

namespace sallyport::store {

/// When a call was made: its patience for other processes' locks counts from there, so that calls that queue up behind
/// a lock run out together instead of one after the other.
class Patience {
 public:
  Patience(Instant begun, std::chrono::milliseconds longest) : until_(begun + longest) {}
  std::chrono::milliseconds left(Instant now) const {
    return std::max(std::chrono::ceil<std::chrono::milliseconds>(until_ - now), std::chrono::milliseconds(0));
  }

 private:
  Instant until_;
};

/// A Database that is opened when it is needed, and anew after an error or when another file has taken the path.
/// Threads: one at a time.
class Connection {
 public:
  explicit Connection(std::string path) : path_(std::move(path)) {}

  /// Creates the file when there is none and prepares its schema. Errors: as SqliteBackend::make().
  Result<void> start(std::chrono::milliseconds busy_timeout);

  /// What `work`, given the Database, returns. Errors: `store.unavailable`, those of `work`.
  template <class F>
  auto use(const Patience& patience, F work) -> decltype(work(std::declval<Database&>())) {
    TRY(Database * database, ready(patience.left(std::chrono::steady_clock::now())));
    auto result = work(*database);
    if (database->in_doubt()) database_.reset();
    return result;
  }

 private:
  // What tells one file from another that took its name.
  struct FileId {
    dev_t device;
    ino_t inode;
    bool operator==(const FileId&) const = default;
  };

  Result<Database*> ready(std::chrono::milliseconds busy_timeout);
  Result<FileId> file_id() const;
  Result<void> prepare_file() const;

  std::string path_;
  std::optional<Database> database_;
  FileId opened_{};
};

}  // namespace sallyport::store
