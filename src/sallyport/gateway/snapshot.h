#pragma once

#include <memory>
#include <string>
#include <vector>

#include "sallyport/auth/jwt/issuer.h"
#include "sallyport/auth/token_service/token_service.h"
#include "sallyport/gateway/assertion.h"
#include "sallyport/gateway/route.h"
#include "sallyport/gateway/settings.h"
#include "sallyport/net/address_range.h"
#include "sallyport/net/tls.h"

namespace sallyport::gateway {

struct Authorization;

/// One configuration, made ready: files read, keys parsed, routes built. Immutable; a reload makes a new one, and a connection keeps
/// the route under which it came.
/// Threads: any.
struct Snapshot {
  Settings settings;
  Routes routes;
  /// In the order of settings.listen; null where a listener has no TLS.
  std::vector<std::shared_ptr<const net::ServerTls>> listener_tls;
  /// In the order of settings.listen; null where a listener takes sockets.
  std::vector<std::shared_ptr<const Authorization>> authorizations;
  std::shared_ptr<const net::ServerTls> admin_tls;
  Secret admin_token;
  std::shared_ptr<const Assertion> assertion;
  std::vector<std::shared_ptr<const auth::Issuer>> issuers;
  std::shared_ptr<const auth::TokenService> token_service = nullptr;  ///< null where there is none
  /// Who vouches for clients, each once.
  std::vector<std::shared_ptr<crypto::ClientAuthorities>> authorities;
  /// Of settings.trusted_proxies: of these what proxies pass on; null: nothing.
  std::shared_ptr<const crypto::ClientAuthorities> forwarded_authorities;
  net::AddressRanges trusted_proxies;
  /// In the order of settings.listen: the load balancers that speak the PROXY protocol there.
  std::vector<std::optional<net::AddressRanges>> proxy_protocol;
};

/// Reads every file that `settings` names. `earlier` lends the keys that its issuers have fetched already. Blocks: for the start and
/// a reload.
/// Errors:   `config.invalid`, naming the file or the setting.
/// Lifetime: `control` outlives the result.
Result<std::shared_ptr<const Snapshot>> make_snapshot(Settings settings, const config::Environment& environment,
                                                      net::Loop& control, const Snapshot* earlier);

}  // namespace sallyport::gateway
