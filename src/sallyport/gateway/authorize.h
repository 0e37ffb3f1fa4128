#pragma once

#include <memory>

#include "sallyport/base/secret.h"
#include "sallyport/gateway/exchange.h"
#include "sallyport/http/original.h"
#include "sallyport/net/address_range.h"

/// The gateway as the auth service of a proxy: asked whether a handshake may pass, it judges that as its own and answers, and that is all it
/// does. Nothing is relayed, so nothing that happens afterwards, an expiry or a revocation, can reach the socket.
namespace sallyport::gateway {

/// The field in which a proxy shows the listener's token.
inline constexpr std::string_view authorize_field = "X-Sallyport-Authorize";

/// Who may ask on a listener, and how it tells what about. Immutable.
/// Threads: any.
struct Authorization {
  http::OriginalRules rules;
  net::AddressRanges trusted;
  Secret token;  ///< empty: none is asked for
};

/// Errors: `config.invalid`; when the token cannot be read or is too short, too.
Result<std::shared_ptr<const Authorization>> make_authorization(const AuthorizeSettings& settings,
                                                                const config::Environment& environment);

/// A place for a proxy that asks: it has no rate of its own, those whom it asks about have.
/// Errors: `address.not_allowed` for who is not trusted to ask, `limit.pending`; both are counted.
Result<Arrival> arrive_to_ask(Shard& shard, net::Endpoint proxy, const Authorization& authorization);

/// Takes one question and answers it: 200 with who it is in X-Sallyport-Subject, -Identity, -Expires-At and -Connection, or 401, or 403, or
/// 429 and 503 where the same attempt may succeed later. Any other refusal is told as 403, which is what proxies understand.
/// Lifetime: all outlive the task.
net::Task<void> answer_asker(Arrival& arrival, Exchange& exchange, const Authorization& authorization);

}  // namespace sallyport::gateway
