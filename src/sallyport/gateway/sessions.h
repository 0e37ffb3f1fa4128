#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "sallyport/auth/identity.h"
#include "sallyport/gateway/limits.h"
#include "sallyport/gateway/revocations.h"
#include "sallyport/net/stream.h"

namespace sallyport::gateway {

class Route;
class Session;
class Sessions;

/// Raised on a connection's Wake when it has another identity than before.
inline constexpr std::uint32_t identity_changed = net::Waiter::first_free << 4;

/// Sessions by the hash of any handle. The places lie in the sessions themselves, so that one leaves without a search, however many
/// share a handle, and none costs an allocation. Who looks here compares the handle itself.
class HandleIndex {
 public:
  struct Place {
    Session* session = nullptr;
    std::size_t hash = 0;
    Place* next = nullptr;
    Place** link = nullptr;  ///< what points here
  };

  void enter(Place& place);
  void leave(Place& place);
  /// The first place in the chain that holds those with this hash, among others; nullptr when it is empty.
  Place* chain(std::size_t hash) const { return buckets_[hash & (buckets_.size() - 1)]; }
  const std::vector<Place*>& chains() const { return buckets_; }

 private:
  void link(Place& place);
  std::vector<Place*> buckets_ = std::vector<Place*>(64);
  std::size_t size_ = 0;
};

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
  /// Puts in place what asking again has brought, and has the relay act on it.
  void take(auth::Identity fresh);
  /// Since when the source of truth has not answered for this identity; kept by who asks it.
  std::optional<Instant> unknown_since;
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
  std::vector<HandleIndex::Place>
      index_places_;  // the first is that of its id; where they lie does not change while they are entered
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

  /// nullptr when there is none with this id.
  Session* find(const std::string& id) const;
  /// Those whose identity, or a part of it, has this key of its mechanism's watch.
  std::vector<Session*> watched(std::string_view mechanism, std::string_view watch_key) const;

  std::size_t size() const { return size_; }
  std::vector<SessionInfo> list() const;
  void for_each(const std::function<void(Session&)>& work) const;

 private:
  friend class Session;
  void enter(Session& session);
  void leave(Session& session);
  const Revocations& revocations_;
  SharedLimits& limits_;
  HandleIndex index_;
  std::size_t size_ = 0;
};

}  // namespace sallyport::gateway
