#include "sallyport/gateway/lobby.h"

#include "sallyport/base/encoding.h"

namespace sallyport::gateway {

Lobby::Guest::~Guest() { lobby_.forget(*this); }

void Lobby::forget(Guest& guest) {
  if (!guest.place_) return;
  guests_.erase(*guest.place_);
  guest.place_.reset();
  by_code_.erase(guest.code_);
}

std::unique_ptr<Lobby::Guest> Lobby::enter(net::Waiter& waiter, std::string route, crypto::Random& random,
                                           std::size_t most, ConnectionCounts::Place among_network) {
  while (guests_.size() >= most) {
    Guest& oldest = *guests_.front();
    forget(oldest);
    oldest.waiter_.interrupt(Error{Reason::limit_waiting, "others have come that wait to be authenticated"});
  }
  std::unique_ptr<Guest> guest(new Guest(*this, waiter, std::move(route), base64url_encode(bytes_of(random.bytes(16))),
                                         std::move(among_network)));
  guest->place_ = guests_.insert(guests_.end(), guest.get());
  by_code_.emplace(guest->code_, guest.get());
  return guest;
}

bool Lobby::vouch(std::string_view code, std::string_view route, auth::Identity identity) {
  const auto found = by_code_.find(code);
  if (found == by_code_.end()) return false;
  Guest& guest = *found->second;
  if (guest.route_ != route || guest.identity_) return false;
  guest.identity_.emplace(std::move(identity));
  guest.waiter_.wake().raise(vouched);
  return true;
}

}  // namespace sallyport::gateway
