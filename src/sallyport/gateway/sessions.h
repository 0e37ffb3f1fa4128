#pragma once

#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "sallyport/auth/identity.h"
#include "sallyport/gateway/limits.h"
#include "sallyport/gateway/revocations.h"
#include "sallyport/net/stream.h"

namespace sallyport::gateway {

class Route;
class Session;
class Sessions;

// Ordered, because its iterators stay good: each session keeps its own and leaves without a search, however many share a handle.
using HandleIndex = std::multimap<std::string, Session*>;

/// One admitted connection with its present Identity; the one mutable thing on the path. Made only by Sessions::admit; leaves the
/// table when destroyed.
/// Threads: its Loop's own.
class Session {
 public:
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  /// 128 random bits in base64url; names the connection everywhere and is no credential.
  const std::string& id() const { return id_; }
  const auth::Identity& identity() const { return identity_; }
  const Route& route() const { return *route_; }
  const std::string& peer() const { return peer_; }
  WallTime admitted_at() const { return admitted_at_; }

  /// Puts a newly proved identity in place of the present one. Errors: `credential.revoked`.
  Result<void> renew(auth::Identity fresh);
  /// Ends the connection: its waiter fails with `error` at its next turn.
  void close(Error error) { waiter_.interrupt(std::move(error)); }

 private:
  friend class Sessions;
  Session(Sessions& table, std::string id, auth::Identity identity, std::shared_ptr<const Route> route,
          std::string peer, WallTime admitted_at, net::Waiter& waiter);
  Sessions& table_;
  std::string id_;
  auth::Identity identity_;
  std::shared_ptr<const Route> route_;
  std::string peer_;
  WallTime admitted_at_;
  net::Waiter& waiter_;
  ConnectionCounts::Place network_place_;
  ConnectionCounts::Place identity_place_;
  std::vector<HandleIndex::iterator> index_places_;
};

/// What a listing tells of a connection.
struct SessionInfo {
  std::string id, route, subject, issuer, mechanism, peer;
  WallTime admitted_at, expires_at;
};

/// The live connections of one loop, found by any handle.
class Sessions {
 public:
  Sessions(const Revocations& revocations, SharedLimits& limits) : revocations_(revocations), limits_(limits) {}

  /// Enters a proved identity. It is in the table before the revocations are looked at for the last time: one that lands between
  /// the proof and the entry finds it here or is found there.
  /// Errors:   `credential.revoked`, `limit.connections_identity`.
  /// Lifetime: `waiter` outlives the Session.
  Result<std::unique_ptr<Session>> admit(std::string id, auth::Identity identity, std::shared_ptr<const Route> route,
                                         std::string peer, WallTime now, net::Waiter& waiter,
                                         ConnectionCounts::Place network_place);
  /// Closes what `revocation` covers with `error`; how many.
  std::size_t close_covered(const store::Revocation& revocation, const Error& error);
  std::size_t close_all(const Error& error);
  /// True when there was one with this id.
  bool close(const std::string& id, const Error& error);

  std::size_t size() const { return by_id_.size(); }
  std::vector<SessionInfo> list() const;

 private:
  friend class Session;
  void enter(Session& session);
  void leave(Session& session);

  const Revocations& revocations_;
  SharedLimits& limits_;
  std::unordered_map<std::string, Session*> by_id_;
  HandleIndex by_handle_;
};

}  // namespace sallyport::gateway
