#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "sallyport/auth/identity.h"
#include "sallyport/crypto/client_authorities.h"
#include "sallyport/crypto/random.h"
#include "sallyport/http/forward.h"
#include "sallyport/http/origin.h"
#include "sallyport/http/request.h"
#include "sallyport/net/http_client.h"
#include "sallyport/net/socket.h"
#include "sallyport/net/stream.h"
#include "sallyport/store/store.h"

namespace sallyport::auth {

/// The other end of the connection, as this end sees it.
struct Peer {
  net::Endpoint address;
  std::string_view tls_version;  ///< empty: no TLS
  /// What the client has proved to be theirs in the TLS handshake, here or with a proxy that is trusted. Null: none.
  std::shared_ptr<const crypto::ClientCertificate> certificate;
};

/// Everything that an authenticator may look at.
/// Trust: every byte is hostile except `peer`, `origin` and `proven`.
struct Evidence {
  /// The request that asks to be let in: most often an opening handshake. nullptr once that is over, when only what came in band speaks.
  const http::Request* request;
  http::OriginProof origin;
  const Peer& peer;
  /// A token that came inside the socket; when present it is the only credential and the request's are not looked at again.
  std::optional<std::string_view> in_band = {};
  /// A one-time password beside the token that came inside the socket.
  std::optional<std::string_view> in_band_otp = {};
  /// Those that an opening handshake offers.
  std::span<const std::string> subprotocols = {};
  /// What the mechanisms before this one have proved, where several are needed together; the first of them.
  const Identity* proven = nullptr;
};

/// What belongs to the loop on which an authenticator runs.
struct Here {
  net::Loop& loop;
  store::Store& store;
  net::HttpClient& http;
  crypto::Random& random;
};

/// Tells of changes for as long as it lives. See Authenticator::watch().
class Watch {
 public:
  virtual ~Watch() = default;
};

/// Judges the credential of its own kind found in `evidence`; other kinds are not its concern.
/// `not_mine` means none was presented. One that is presented and bad is `refuse`: the chain must never slide from a broken
/// strong credential to a weaker mechanism.
/// Threads: immutable and shared by all loops; authenticate() and recheck() run on the connection's.
class Authenticator {
 public:
  virtual ~Authenticator() = default;

  virtual std::string_view mechanism() const = 0;
  /// Trust:    every byte of `evidence` is hostile except `evidence.peer`, `evidence.origin` and `evidence.proven`.
  /// Errors:   the reasons in the plug's README, `store.unavailable`, `keys.unavailable`, `auth.unavailable`, `auth.timeout`; nothing else.
  /// Suspends: until `deadline` at most.
  /// Lifetime: `evidence` and `here` outlive the task; keep no view into them afterwards.
  virtual net::Task<Verdict> authenticate(const Evidence& evidence, Here& here, net::Deadline deadline) const = 0;

  /// Asks the source of truth again about identities that this mechanism proved, all in one go. One verdict each, in their order:
  /// `accept` the same subject, whose expiry, scopes and the like may be new; `refuse` who is not good any more. A mechanism that has
  /// nobody to ask accepts them as they are.
  /// Errors:   as authenticate(); one of status 503 says that it is not known now.
  /// Suspends: until `deadline` at most. Lifetime: `here` outlives the task.
  virtual net::Task<std::vector<Verdict>> recheck(std::vector<Identity> present, Here& here,
                                                  net::Deadline deadline) const;

  /// `changed` is called with the watch_key of identities that should be asked about again, and with an empty one for all of this
  /// mechanism: the watch has missed something.
  using Changed = std::function<void(std::string_view watch_key)>;
  /// Watches the source of truth. nullptr: it cannot be watched, and asking again from time to time is all there is.
  /// Threads: the control loop's, for `changed` too. Lifetime: `control` outlives the result.
  virtual std::unique_ptr<Watch> watch(net::Loop& control, Changed changed) const;

  /// Whom the credential in `evidence` says that it speaks for, before anything is proved; by this failures are counted. Empty: none of
  /// its kind is there, or the credential itself is all the name it has, as with a token. Only where what a client presents is different
  /// each time, a signature or a one-time password, is there anything to say.
  /// Trust: `evidence` is hostile.
  virtual std::string claimant(const Evidence& evidence) const;

  /// Where its credential travels in a request, so that it can be taken out before the backend sees it.
  virtual void add_to(http::Strip& strip) const = 0;
};

}  // namespace sallyport::auth
