#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "sallyport/auth/chain.h"
#include "sallyport/auth/jwt/issuer.h"
#include "sallyport/auth/mtls/mtls.h"
#include "sallyport/config/plug.h"
#include "sallyport/gateway/settings.h"
#include "sallyport/protocol/adapter.h"
#include "sallyport/store/backend.h"

/// Everything that can be plugged in, as plain lists: nothing registers itself.
namespace sallyport::gateway {

const std::vector<config::Plug>& authenticator_plugs();
const std::vector<config::Plug>& store_plugs();
const std::vector<config::Plug>& adapter_plugs();

/// The ways to authenticate on a route, in its order. Errors: `config.invalid`.
Result<auth::Chain> make_chain(const RouteSettings& route, std::span<const std::shared_ptr<const auth::Issuer>> issuers,
                               const config::Environment& environment, const auth::Authorities& authorities);
/// The longest life of what an authenticator accepts, where that is its own to bound.
std::optional<std::chrono::seconds> longest_life_of(const config::Choice& authenticator);
/// The mechanisms of one entry of `authenticate`: itself, or those that must prove it together.
std::span<const config::Choice> parts_of(const config::Choice& way);
/// How long after its issue the longest-lived credential is good that a mechanism of a route takes or the token service gives; JSON Web Tokens of
/// other issuers and opaque tokens left out.
std::chrono::seconds longest_credential(const Settings& settings);
/// The name of the issuer that a mechanism relies on.
std::optional<std::string> issuer_of(const config::Choice& authenticator);

/// What understands the messages of a route. `settings` have passed the schema.
std::shared_ptr<const protocol::Adapter> make_adapter(const MessagesSettings& settings);

/// Whether both name the same store, so that one can stay open for the other.
bool same_store(const config::Choice& left, const config::Choice& right);
/// Opens the store. Blocks. Errors: `config.invalid`, `store.unavailable`.
Result<std::unique_ptr<store::Backend>> make_store(const config::Choice& choice);

}  // namespace sallyport::gateway
