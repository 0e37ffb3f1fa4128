#pragma once

#include <list>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>

#include "sallyport/auth/identity.h"
#include "sallyport/crypto/random.h"
#include "sallyport/gateway/limits.h"
#include "sallyport/net/stream.h"

namespace sallyport::gateway {

/// Sockets of one loop that were accepted and have yet to say who they are. When all places are taken, whoever has waited the longest
/// loses theirs: who means well says it at once, and who only takes up room is the first to go.
/// Threads: its loop's own.
class Lobby {
 public:
  /// Raised on a guest's Wake when somebody has vouched for it.
  static constexpr std::uint32_t vouched = net::Waiter::first_free;

  /// One socket, for as long as it waits.
  class Guest {
   public:
    Guest(const Guest&) = delete;
    Guest& operator=(const Guest&) = delete;
    ~Guest();

    /// By which another request can vouch for this socket, once: 128 random bits in base64url. A credential of its own.
    const std::string& code() const { return code_; }
    /// Whom it was vouched for as.
    const std::optional<auth::Identity>& identity() const { return identity_; }

   private:
    friend class Lobby;
    Guest(Lobby& lobby, net::Waiter& waiter, std::string route, std::string code, ConnectionCounts::Place among_network)
        : lobby_(lobby),
          waiter_(waiter),
          route_(std::move(route)),
          code_(std::move(code)),
          among_network_(std::move(among_network)) {}

    Lobby& lobby_;
    net::Waiter& waiter_;
    std::string route_;
    std::string code_;
    ConnectionCounts::Place among_network_;
    std::optional<auth::Identity> identity_;
    std::optional<std::list<Guest*>::iterator> place_;  // nothing: told to leave
  };

  Lobby() = default;
  Lobby(const Lobby&) = delete;
  Lobby& operator=(const Lobby&) = delete;

  /// Makes room if `most` are here. Lifetime: `waiter` outlives the guest, the lobby too.
  std::unique_ptr<Guest> enter(net::Waiter& waiter, std::string route, crypto::Random& random, std::size_t most,
                               ConnectionCounts::Place among_network);
  /// Vouches for the guest with this `code`, if it waits on `route`. False: there is none, or somebody has done so already.
  bool vouch(std::string_view code, std::string_view route, auth::Identity identity);
  /// Those who were told to leave do not count.
  std::size_t size() const { return guests_.size(); }

 private:
  void forget(Guest& guest);

  std::list<Guest*> guests_;  // the longest here first; without those who were told to leave
  std::unordered_map<std::string_view, Guest*> by_code_;
};

}  // namespace sallyport::gateway
