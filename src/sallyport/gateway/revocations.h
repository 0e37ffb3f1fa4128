#pragma once

#include <optional>
#include <shared_mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "sallyport/auth/identity.h"
#include "sallyport/store/store.h"

namespace sallyport::gateway {

/// The handles by which one connection can be revoked, as keys to look up: those of every mechanism that had a part in its identity.
std::vector<std::pair<store::Handle, std::string_view>> handles_of(const auth::Identity& identity,
                                                                   std::string_view connection);

/// True when `revocation` names this connection, or a credential by which `identity` was proved, by any of its handles. A credential that
/// does not say when it was issued counts as issued before anything.
bool covers(const store::Revocation& revocation, const auth::Identity& identity, std::string_view connection);

/// Every revocation in force, in memory, so that a handshake asks nobody.
/// Threads: any. Read at a handshake and a renewal, written by a revocation.
class Revocations {
 public:
  /// False when it was there already.
  bool add(const store::Revocation& revocation);
  /// Errors: `credential.revoked` when any of the identity's handles is covered.
  Result<void> check(const auth::Identity& identity, std::string_view connection) const;
  /// Forgets what ended before `now`.
  void purge(WallTime now);
  std::size_t size() const;
  std::uint64_t last_id() const;

 private:
  mutable std::shared_mutex mutex_;
  std::unordered_multimap<std::string, store::Revocation> by_handle_;
  std::uint64_t last_id_ = 0;
};

/// `sub\0alice`: a handle and its value as one key.
std::string handle_key(store::Handle handle, std::string_view value);

}  // namespace sallyport::gateway
