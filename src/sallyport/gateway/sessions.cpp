#include "sallyport/gateway/sessions.h"

#include <algorithm>
#include <functional>
#include <utility>

#include "sallyport/gateway/route.h"

namespace sallyport::gateway {
namespace {

std::size_t handle_hash(store::Handle handle, std::string_view value) {
  return std::hash<std::string_view>()(value) + static_cast<std::size_t>(handle);
}

std::size_t watch_hash(std::string_view watch_key) { return std::hash<std::string_view>()(watch_key) + 0x100; }

bool is_watched_as(const auth::Identity& identity, std::string_view mechanism, std::string_view watch_key) {
  return identity->mechanism == mechanism && identity->watch_key == watch_key;
}

}  // namespace

Session::Session(Sessions& table, std::string id, auth::Identity identity, std::shared_ptr<const Route> route,
                 std::string peer, WallTime admitted_at, net::Waiter& waiter)
    : table_(table),
      id_(std::move(id)),
      identity_(std::move(identity)),
      route_(std::move(route)),
      peer_(std::move(peer)),
      admitted_at_(admitted_at),
      waiter_(waiter) {
  table_.enter(*this);
}

Session::~Session() { table_.leave(*this); }

Result<void> Session::renew(auth::Identity fresh) {
  table_.leave(*this);
  identity_ = std::move(fresh);
  table_.enter(*this);
  return table_.revocations_.check(identity_, id_);
}

void Session::take(auth::Identity fresh) {
  const Result<void> still_good = renew(std::move(fresh));
  if (!still_good.ok()) return close(still_good.error());
  waiter_.wake().raise(identity_changed);
}

Result<std::unique_ptr<Session>> Sessions::admit(std::string id, auth::Identity identity,
                                                 std::shared_ptr<const Route> route, std::string peer, WallTime now,
                                                 net::Waiter& waiter, ConnectionCounts::Place network_place) {
  std::string key = route->name() + '\0' + identity->issuer + '\0' + identity->subject;
  TRY(auto place, limits_.by_identity.enter(std::move(key), route->settings().limits.connections_per_identity,
                                            Reason::limit_connections_identity));
  std::unique_ptr<Session> session(
      new Session(*this, std::move(id), std::move(identity), std::move(route), std::move(peer), now, waiter));
  session->network_place_ = std::move(network_place);
  session->identity_place_ = std::move(place);
  TRY_OK(revocations_.check(session->identity(), session->id()));
  return session;
}

std::size_t Sessions::close_covered(const store::Revocation& revocation, const Error& error) {
  std::size_t closed = 0;
  const std::size_t hash = handle_hash(revocation.handle, revocation.value);
  for (const HandleIndex::Place* place = index_.chain(hash); place; place = place->next) {
    Session& session = *place->session;
    if (place->hash != hash || !covers(revocation, session.identity(), session.id())) continue;
    session.close(error);
    ++closed;
  }
  return closed;
}

std::size_t Sessions::close_all(const Error& error) {
  for_each([&](Session& session) { session.close(error); });
  return size_;
}

bool Sessions::close(const std::string& id, const Error& error) {
  Session* session = find(id);
  if (session) session->close(error);
  return session != nullptr;
}

Session* Sessions::find(const std::string& id) const {
  const std::size_t hash = handle_hash(store::Handle::connection, id);
  for (const HandleIndex::Place* place = index_.chain(hash); place; place = place->next) {
    if (place->hash == hash && place->session->id() == id) return place->session;
  }
  return nullptr;
}

std::vector<Session*> Sessions::watched(std::string_view mechanism, std::string_view watch_key) const {
  std::vector<Session*> found;
  const std::size_t hash = watch_hash(watch_key);
  for (const HandleIndex::Place* place = index_.chain(hash); place; place = place->next) {
    if (place->hash != hash) continue;
    const auth::Identity& identity = place->session->identity();
    const auto named = [&](const auth::Identity& part) { return is_watched_as(part, mechanism, watch_key); };
    if (named(identity) || std::ranges::any_of(identity->parts, named)) found.push_back(place->session);
  }
  return found;
}

std::vector<SessionInfo> Sessions::list() const {
  std::vector<SessionInfo> infos;
  infos.reserve(size_);
  for_each([&](const Session& session) {
    const auth::Identity& identity = session.identity();
    infos.push_back({session.id(), session.route().name(), identity->subject, identity->issuer, identity->mechanism,
                     session.peer(), session.admitted_at(), identity->expires_at});
  });
  return infos;
}

void Sessions::for_each(const std::function<void(Session&)>& work) const {
  for (HandleIndex::Place* place : index_.chains()) {
    for (; place; place = place->next) {
      if (place == &place->session->index_places_.front()) work(*place->session);
    }
  }
}

void Sessions::enter(Session& session) {
  ++size_;
  std::vector<std::size_t> hashes{handle_hash(store::Handle::connection, session.id())};
  for (const auto& [handle, value] : handles_of(session.identity(), {})) hashes.push_back(handle_hash(handle, value));
  const auto add_watched = [&](const auth::Identity& identity) {
    if (!identity->watch_key.empty()) hashes.push_back(watch_hash(identity->watch_key));
  };
  add_watched(session.identity());
  for (const auth::Identity& part : session.identity()->parts) add_watched(part);
  session.index_places_ = std::vector<HandleIndex::Place>(hashes.size());
  for (std::size_t i = 0; i < hashes.size(); ++i) {
    HandleIndex::Place& place = session.index_places_[i];
    place.session = &session;
    place.hash = hashes[i];
    index_.enter(place);
  }
}

void Sessions::leave(Session& session) {
  --size_;
  for (HandleIndex::Place& place : session.index_places_) index_.leave(place);
}

void HandleIndex::enter(Place& place) {
  if (++size_ > buckets_.size()) {
    std::vector<Place*> smaller(2 * buckets_.size());
    smaller.swap(buckets_);
    for (Place* at : smaller) {
      while (at) link(*std::exchange(at, at->next));
    }
  }
  link(place);
}

void HandleIndex::link(Place& place) {
  Place*& first = buckets_[place.hash & (buckets_.size() - 1)];
  place.next = first;
  place.link = &first;
  if (first) first->link = &place.next;
  first = &place;
}

void HandleIndex::leave(Place& place) {
  *place.link = place.next;
  if (place.next) place.next->link = place.link;
  place = {};
  --size_;
}

}  // namespace sallyport::gateway
