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

bool has_handle(const Session& session, store::Handle handle, std::string_view value) {
  const auto handles = handles_of(session.identity(), session.id());
  return std::ranges::find(handles, std::pair(handle, value)) != handles.end();
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
    if (place->hash != hash || !has_handle(session, revocation.handle, revocation.value)) continue;
    if (!covers(revocation, session.identity())) continue;
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
  const std::size_t hash = handle_hash(store::Handle::connection, id);
  for (const HandleIndex::Place* place = index_.chain(hash); place; place = place->next) {
    if (place->hash != hash || place->session->id() != id) continue;
    place->session->close(error);
    return true;
  }
  return false;
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

template <class Work>
void Sessions::for_each(Work work) const {
  for (HandleIndex::Place* place : index_.chains()) {
    for (; place; place = place->next) {
      if (place == &place->session->index_places_.front()) work(*place->session);
    }
  }
}

void Sessions::enter(Session& session) {
  ++size_;
  auto place = session.index_places_.begin();
  const auto enter_by = [&](store::Handle handle, std::string_view value) {
    place->session = &session;
    place->hash = handle_hash(handle, value);
    index_.enter(*place++);
  };
  enter_by(store::Handle::connection, session.id());
  for (const auto& [handle, value] : handles_of(session.identity(), session.id())) {
    if (handle != store::Handle::connection) enter_by(handle, value);
  }
}

void Sessions::leave(Session& session) {
  --size_;
  for (HandleIndex::Place& place : session.index_places_) {
    if (place.session) index_.leave(place);
  }
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
