#pragma once

#include <chrono>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "sallyport/auth/authenticator.h"
#include "sallyport/auth/token.h"
#include "sallyport/base/json.h"
#include "sallyport/config/schema.h"

/// Tokens that are good only for their owner: bound to a key by DPoP (RFC 9449), or to a client certificate (RFC 8705).
namespace sallyport::auth {

/// To whom a token is bound (`cnf`, RFC 7800). Empty: to nobody, it is a bearer token.
struct Confirmation {
  std::string key;          ///< `jkt`: thumbprint of the key that must sign a proof
  std::string certificate;  ///< `x5t#S256`: of the certificate that must be the client's
  bool empty() const { return key.empty() && certificate.empty(); }
};

/// What the `cnf` among `claims` says.
/// Trust:  `claims` were proved, their form was not.
/// Errors: `credential.invalid` for a `cnf` that is no object, is empty, or names anything but these two: who does not understand how a
///         token is bound must not take it.
Result<Confirmation> parse_confirmation(const json::Value& claims);

/// How old a proof may be, and how wrong its sender's clock.
struct DpopConfig {
  std::chrono::seconds window{60};
  std::chrono::seconds skew{10};
};

config::Schema<DpopConfig> dpop_schema();

/// The start of the subprotocol that carries a proof beside `bearer.<token>`; compared without regard to case.
inline constexpr std::string_view proof_subprotocol_prefix = "dpop.";

/// Whether `subprotocol` carries a token or a proof, and so must not be repeated to anybody.
bool is_credential_subprotocol(std::string_view subprotocol);

/// Proves that who presents `token` is the one that it is bound to; for a bearer token only that it was presented as one. A proof is
/// looked for in the field `DPoP`, in the subprotocol `dpop.<proof>` where `sources` have subprotocols, and in band behind the token.
/// Trust:    `confirmation` was proved; `evidence` is hostile.
/// Errors:   `credential.invalid` for a proof that is missing, is not of the bound key or not for this token and request, or comes from too
///           far in the future, and for another certificate than the bound one or none; `credential.expired` for a proof that is too old;
///           `credential.replayed` for one that was used before; `credential.ambiguous` for two; `store.unavailable`; `deadline.late`.
/// Spec:     RFC 9449 §4.3, §7.1; the schemes ws and wss stand for http and https in `htu`; without TLS both are taken, since it may end
///           before us; `htm` of a handshake is GET in HTTP/2 too. Looser: in band there is no request to compare `htm` and `htu` with.
///           RFC 8705 §3.
/// Suspends: until the store has answered or `deadline`.
net::Task<Result<void>> prove_sender(const Confirmation& confirmation, const PresentedToken& token,
                                     const Evidence& evidence, std::span<const TokenSource> sources, DpopConfig policy,
                                     Here& here, net::Deadline deadline);

/// Has proofs taken out of what the backend sees.
void add_proofs_to(http::Strip& strip, std::span<const TokenSource> sources);

}  // namespace sallyport::auth
