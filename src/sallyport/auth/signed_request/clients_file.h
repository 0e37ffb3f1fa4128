#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "sallyport/auth/signed_request/clients.h"

namespace sallyport::auth {

/// A file of clients, read again whenever it has changed, so that a key can be added, replaced or withdrawn while the gateway runs.
/// Threads: any.
class ClientsFile {
 public:
  /// Errors: `config.invalid` when it cannot be read, is larger than 16 MiB, holds secrets that everybody on this machine may read or
  ///         change, or is refused by Clients::parse().
  static Result<std::shared_ptr<ClientsFile>> open(std::string path);

  std::shared_ptr<const Clients> snapshot() const;

  /// Reads the file if it is not the one that was read last. Blocks for a look at the file, and for reading it when it has changed.
  /// Errors: those of open(), once for each state of the file; the clients in use stay.
  Result<void> refresh();

 private:
  // What tells one state of a file from the next.
  struct Stamp {
    std::uint64_t device = 0, inode = 0, size = 0;
    std::int64_t changed = 0;
    bool operator==(const Stamp&) const = default;
  };
  explicit ClientsFile(std::string path) : path_(std::move(path)) {}
  static Stamp stamp_of(const std::string& path);
  static Result<std::shared_ptr<const Clients>> read(const std::string& path);

  const std::string path_;
  std::mutex refreshing_;
  mutable std::mutex mutex_;
  Stamp stamp_;
  std::shared_ptr<const Clients> clients_;
};

/// The names of those keys of `before` that are gone, or that would let in somebody else or at other times by `now`.
std::vector<std::string> changed_keys(const Clients& before, const Clients& now);

}  // namespace sallyport::auth
