#pragma once

#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "sallyport/auth/authenticator.h"
#include "sallyport/auth/ticket/config.h"
#include "sallyport/auth/token.h"
#include "sallyport/config/plug.h"

namespace sallyport::auth {

/// A ticket's text has 32 random bytes in base64url behind this. Units: characters.
inline constexpr std::size_t ticket_size = ticket_prefix.size() + 43;

/// Where a ticket may be used.
struct TicketBounds {
  std::string origin;   ///< of the page, in its only spelling; empty: by who sends none
  std::string network;  ///< net::Endpoint::network() of the one it is given to
};

struct IssuedTicket {
  Secret ticket;   ///< to be shown once
  std::string id;  ///< its public name, safe to log
  WallTime expires_at{};
};

/// The Origin that `headers` name, in its only spelling; empty when they name none.
/// Errors: `origin.not_allowed` for one that parse_origin() refuses; `null` is a spelling.
Result<std::string> origin_text(const http::Headers& headers);

/// Accepts single-use tickets. Who comes with one is who it was given to: the identity is the one that was proved then, its mechanism
/// too, so that it is asked about, renewed and revoked as if its own credential had come.
///
/// What a mechanism needs to ask again stays in the process that proved the identity. A ticket that is used at another instance opens a
/// connection of mechanism `ticket` that lives no longer than `unwatched`, if there is somebody to ask about it.
class TicketAuthenticator final : public Authenticator {
 public:
  /// `route` is the name of the one that it serves: tickets of another are no good here.
  TicketAuthenticator(TicketConfig config, std::vector<TokenSource> sources, std::string route)
      : config_(std::move(config)), sources_(std::move(sources)), route_(std::move(route)) {}

  std::string_view mechanism() const override { return "ticket"; }
  /// Errors: `credential.invalid`, `credential.expired`, `credential.replayed`; those of find_token(); `store.unavailable`;
  ///         `deadline.late`.
  net::Task<Verdict> authenticate(const Evidence& evidence, Here& here, net::Deadline deadline) const override;
  void add_to(http::Strip& strip) const override { auth::add_to(strip, sources_); }

  /// A ticket for `identity`, good until its lifetime is over or the identity's is.
  /// Errors: `store.unavailable`, `deadline.late`.
  net::Task<Result<IssuedTicket>> issue(Identity identity, TicketBounds bounds, Here& here,
                                        net::Deadline deadline) const;

 private:
  // Those whose identities cannot be carried whole, by the ticket's hash.
  struct Kept {
    Identity identity;
    WallTime until;
  };
  using Hash = store::TokenHash;
  static constexpr std::size_t first_sweep = 1000;

  net::Task<Result<Identity>> redeem(const Evidence& evidence, std::string ticket, Here& here,
                                     net::Deadline deadline) const;
  void keep(const Hash& hash, const Identity& identity, WallTime until, WallTime now) const;
  std::optional<Identity> take(const Hash& hash) const;

  TicketConfig config_;
  std::vector<TokenSource> sources_;
  std::string route_;
  mutable std::mutex mutex_;
  mutable std::map<Hash, Kept> kept_;
  mutable std::size_t sweep_at_ = first_sweep;
};

/// Errors: `config.invalid` for places that the schema would have refused.
Result<std::shared_ptr<const Authenticator>> make_authenticator(const TicketConfig& config, const std::string& route);

config::Plug ticket_plug();

}  // namespace sallyport::auth
