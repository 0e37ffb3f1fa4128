#include "sallyport/gateway/sessions.h"

#include "sallyport/gateway/route.h"

namespace sallyport::gateway {

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
  const auto [first, last] = by_handle_.equal_range(handle_key(revocation.handle, revocation.value));
  for (auto at = first; at != last; ++at) {
    if (!covers(revocation, at->second->identity())) continue;
    at->second->close(error);
    ++closed;
  }
  return closed;
}

std::size_t Sessions::close_all(const Error& error) {
  for (const auto& [id, session] : by_id_) session->close(error);
  return by_id_.size();
}

bool Sessions::close(const std::string& id, const Error& error) {
  const auto found = by_id_.find(id);
  if (found == by_id_.end()) return false;
  found->second->close(error);
  return true;
}

std::vector<SessionInfo> Sessions::list() const {
  std::vector<SessionInfo> infos;
  infos.reserve(by_id_.size());
  for (const auto& [id, session] : by_id_) {
    const auth::Identity& identity = session->identity();
    infos.push_back({id, session->route().name(), identity->subject, identity->issuer, identity->mechanism,
                     session->peer(), session->admitted_at(), identity->expires_at});
  }
  return infos;
}

void Sessions::enter(Session& session) {
  by_id_.emplace(session.id(), &session);
  for (const auto& [handle, value] : handles_of(session.identity(), session.id())) {
    session.index_places_.push_back(by_handle_.emplace(handle_key(handle, value), &session));
  }
}

void Sessions::leave(Session& session) {
  by_id_.erase(session.id());
  for (const auto place : session.index_places_) by_handle_.erase(place);
  session.index_places_.clear();
}

}  // namespace sallyport::gateway
