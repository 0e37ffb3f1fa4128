#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sallyport/auth/identity.h"
#include "sallyport/http/forward.h"
#include "sallyport/http/origin.h"
#include "sallyport/http/upgrade.h"
#include "sallyport/net/socket.h"
#include "sallyport/net/stream.h"
#include "sallyport/store/store.h"

namespace sallyport::auth {

/// The other end of the connection, as this end sees it.
struct Peer {
  net::Endpoint address;
  std::string_view tls_version;  ///< empty: no TLS
};

/// Everything that an authenticator may look at.
/// Trust: every byte is hostile except `peer` and `origin`.
struct Evidence {
  /// The opening handshake; nullptr once that is over, when only `in_band` speaks.
  const http::Upgrade* upgrade;
  http::OriginProof origin;
  const Peer& peer;
  /// A token that came inside the socket; when present it is the only credential and the upgrade's are not looked at again.
  std::optional<std::string_view> in_band;
};

/// What belongs to the loop on which an authenticator runs.
struct Here {
  net::Loop& loop;
  store::Store& store;
};

/// Judges the credential of its own kind found in `evidence`; other kinds are not its concern.
/// `not_mine` means none was presented. One that is presented and bad is `refuse`: the chain must never slide from a broken
/// strong credential to a weaker mechanism.
/// Threads: immutable and shared by all loops; authenticate() runs on the connection's.
class Authenticator {
 public:
  virtual ~Authenticator() = default;

  virtual std::string_view mechanism() const = 0;
  /// Trust:    every byte of `evidence` is hostile except `evidence.peer` and `evidence.origin`.
  /// Errors:   the reasons in the plug's README, `store.unavailable`, `keys.unavailable`, `auth.timeout`; nothing else.
  /// Suspends: until `deadline` at most.
  /// Lifetime: `evidence` and `here` outlive the task; keep no view into them afterwards.
  virtual net::Task<Verdict> authenticate(const Evidence& evidence, Here& here, net::Deadline deadline) const = 0;
  /// Where its credential travels in an upgrade, so that it can be taken out before the backend sees it.
  virtual void add_to(http::Strip& strip) const = 0;
};

/// The authenticators of a route, in its order.
class Chain {
 public:
  explicit Chain(std::vector<std::shared_ptr<const Authenticator>> authenticators)
      : authenticators_(std::move(authenticators)) {}

  /// The first verdict that is not `not_mine` decides. Errors: that verdict's; `credential.missing` when there is none.
  net::Task<Result<Identity>> authenticate(const Evidence& evidence, Here& here, net::Deadline deadline) const;

  /// Judges `in_band` by the mechanism that proved `present`: same subject, same issuer, or refused.
  /// Errors: the mechanism's; `credential.other_subject`.
  net::Task<Result<Identity>> renew(const Identity& present, const Evidence& evidence, Here& here,
                                    net::Deadline deadline) const;

  http::Strip strip() const;

 private:
  std::vector<std::shared_ptr<const Authenticator>> authenticators_;
};

}  // namespace sallyport::auth
