#include "sallyport/gateway/revocations.h"

#include <algorithm>
#include <mutex>

namespace sallyport::gateway {

std::string handle_key(store::Handle handle, std::string_view value) {
  std::string key(store::name_of(handle));
  key += '\0';
  key += value;
  return key;
}

namespace {

using Handles = std::vector<std::pair<store::Handle, std::string_view>>;

Handles own_handles(const auth::Identity& identity) {
  Handles handles;
  const auto add = [&](store::Handle handle, std::string_view value) {
    if (!value.empty()) handles.emplace_back(handle, value);
  };
  add(store::Handle::subject, identity->subject);
  add(store::Handle::session_id, identity->session_id);
  add(store::Handle::token_id, identity->token_id);
  add(store::Handle::token_hash, identity->token_hash);
  return handles;
}

bool covers_by_itself(const store::Revocation& revocation, const auth::Identity& identity) {
  const Handles handles = own_handles(identity);
  const auto named = std::pair(revocation.handle, std::string_view(revocation.value));
  if (std::ranges::find(handles, named) == handles.end()) return false;
  if (revocation.issuer && *revocation.issuer != identity->issuer) return false;
  if (!revocation.issued_before) return true;
  // `iat` has whole seconds: one that was issued in the second of the revocation may be older than it, and counts as such.
  return !identity->issued_at || *identity->issued_at <= *revocation.issued_before;
}

}  // namespace

Handles handles_of(const auth::Identity& identity, std::string_view connection) {
  Handles handles = own_handles(identity);
  for (const auth::Identity& part : identity->parts) {
    for (const auto& handle : own_handles(part)) {
      if (std::ranges::find(handles, handle) == handles.end()) handles.push_back(handle);
    }
  }
  if (!connection.empty()) handles.emplace_back(store::Handle::connection, connection);
  return handles;
}

bool covers(const store::Revocation& revocation, const auth::Identity& identity, std::string_view connection) {
  if (revocation.handle == store::Handle::connection) return revocation.value == connection;
  return covers_by_itself(revocation, identity) ||
         std::ranges::any_of(identity->parts, [&](const auto& part) { return covers_by_itself(revocation, part); });
}

bool Revocations::add(const store::Revocation& revocation) {
  const std::unique_lock lock(mutex_);
  const std::string key = handle_key(revocation.handle, revocation.value);
  const auto [first, last] = by_handle_.equal_range(key);
  for (auto at = first; at != last; ++at) {
    if (at->second.id == revocation.id) return false;
  }
  by_handle_.emplace(key, revocation);
  last_id_ = std::max(last_id_, revocation.id);
  return true;
}

Result<void> Revocations::check(const auth::Identity& identity, std::string_view connection) const {
  const std::shared_lock lock(mutex_);
  if (by_handle_.empty()) return {};
  for (const auto& [handle, value] : handles_of(identity, connection)) {
    const auto [first, last] = by_handle_.equal_range(handle_key(handle, value));
    for (auto at = first; at != last; ++at) {
      if (!covers(at->second, identity, connection)) continue;
      return Error{Reason::credential_revoked,
                   "revocation " + std::to_string(at->second.id) + " by " + std::string(store::name_of(handle))};
    }
  }
  return {};
}

void Revocations::purge(WallTime now) {
  const std::unique_lock lock(mutex_);
  std::erase_if(by_handle_, [&](const auto& entry) { return entry.second.keep_until < now; });
}

std::size_t Revocations::size() const {
  const std::shared_lock lock(mutex_);
  return by_handle_.size();
}

std::uint64_t Revocations::last_id() const {
  const std::shared_lock lock(mutex_);
  return last_id_;
}

}  // namespace sallyport::gateway
