#include "sallyport/gateway/plugs.h"

#include <algorithm>

#include "sallyport/auth/anonymous/anonymous.h"
#include "sallyport/auth/callout/callout.h"
#include "sallyport/auth/introspection/introspection.h"
#include "sallyport/auth/jwt/jwt.h"
#include "sallyport/auth/opaque/opaque.h"
#include "sallyport/auth/session/session.h"
#include "sallyport/auth/signed_request/signed_request.h"
#include "sallyport/auth/ticket/ticket.h"
#include "sallyport/auth/totp/totp.h"
#include "sallyport/protocol/json/json.h"
#include "sallyport/store/memory/config.h"
#include "sallyport/store/memory/memory_backend.h"
#include "sallyport/store/sqlite/config.h"
#include "sallyport/store/sqlite/sqlite_backend.h"

namespace sallyport::gateway {
namespace {

// Where the mechanism looks for its token.
std::vector<std::string> sources_of(const config::Choice& choice) {
  if (const auto* jwt = choice.get<auth::JwtConfig>()) return jwt->from;
  if (const auto* opaque = choice.get<auth::OpaqueConfig>()) return opaque->from;
  if (const auto* ticket = choice.get<auth::TicketConfig>()) return ticket->from;
  if (const auto* introspection = choice.get<auth::IntrospectionConfig>()) return introspection->from;
  return {};
}

// What a mechanism may need besides its own settings.
struct Surroundings {
  const RouteSettings& route;
  std::span<const std::shared_ptr<const auth::Issuer>> issuers;
  std::span<const auth::TokenSource> watched;
  const config::Environment& environment;
  const auth::Authorities& authorities;
};

template <class Config>
bool has(const RouteSettings& route) {
  return std::ranges::any_of(route.authenticate, [](const config::Choice& way) {
    return std::ranges::any_of(parts_of(way), [](const config::Choice& part) { return part.get<Config>() != nullptr; });
  });
}

Result<std::shared_ptr<const auth::Authenticator>> make_authenticator(const config::Choice& choice,
                                                                      const Surroundings& around) {
  if (const auto* jwt = choice.get<auth::JwtConfig>()) {
    // Where both stand, the form of a token tells whose it is.
    const bool shared = has<auth::IntrospectionConfig>(around.route);
    return auth::make_authenticator(*jwt, around.issuers, shared ? auth::TokenForms::json_web : auth::TokenForms::any);
  }
  if (const auto* introspection = choice.get<auth::IntrospectionConfig>()) {
    const bool shared = has<auth::JwtConfig>(around.route);
    return auth::make_authenticator(*introspection, around.environment,
                                    shared ? auth::TokenForms::other_than_json_web : auth::TokenForms::any);
  }
  if (const auto* callout = choice.get<auth::CalloutConfig>())
    return auth::make_authenticator(*callout, around.route.name, around.environment);
  if (const auto* opaque = choice.get<auth::OpaqueConfig>())
    return auth::make_authenticator(*opaque, around.route.name);
  if (const auto* ticket = choice.get<auth::TicketConfig>())
    return auth::make_authenticator(*ticket, around.route.name);
  if (const auto* signed_request = choice.get<auth::SignedRequestConfig>())
    return auth::make_authenticator(*signed_request);
  if (const auto* totp = choice.get<auth::TotpConfig>()) return auth::make_authenticator(*totp);
  if (const auto* session = choice.get<auth::SessionConfig>())
    return auth::make_authenticator(*session, around.environment, around.route.require.claim_names());
  if (const auto* mtls = choice.get<auth::MtlsConfig>()) return auth::make_authenticator(*mtls, around.authorities);
  if (const auto* anonymous = choice.get<auth::AnonymousConfig>())
    return auth::make_authenticator(*anonymous, around.watched);
  return Error{Reason::config_invalid, "no mechanism is called '" + choice.kind + "'"};
}

}  // namespace

const std::vector<config::Plug>& authenticator_plugs() {
  static const std::vector<config::Plug> plugs = {
      auth::jwt_plug(),     auth::opaque_plug(),         auth::introspection_plug(), auth::callout_plug(),
      auth::session_plug(), auth::signed_request_plug(), auth::totp_plug(),          auth::ticket_plug(),
      auth::mtls_plug(),    auth::anonymous_plug(),
  };
  return plugs;
}

const std::vector<config::Plug>& store_plugs() {
  static const std::vector<config::Plug> plugs = {
      store::memory_plug(),
      store::sqlite_plug(),
  };
  return plugs;
}

const std::vector<config::Plug>& adapter_plugs() {
  static const std::vector<config::Plug> plugs = {
      protocol::json_plug(),
  };
  return plugs;
}

std::chrono::seconds longest_credential(const Settings& settings) {
  std::chrono::seconds longest{0};
  if (settings.token_service) longest = settings.token_service->refresh_lifetime;
  for (const RouteSettings& route : settings.routes) {
    for (const config::Choice& way : route.authenticate) {
      for (const config::Choice& part : parts_of(way)) {
        if (const auto* session = part.get<auth::SessionConfig>())
          longest = std::max(longest, session->max_age.value_or(auth::default_max_age(session->framework)));
      }
    }
  }
  return longest;
}

std::optional<std::string> issuer_of(const config::Choice& authenticator) {
  if (const auto* jwt = authenticator.get<auth::JwtConfig>()) return jwt->issuer;
  return std::nullopt;
}

std::optional<std::chrono::seconds> longest_life_of(const config::Choice& authenticator) {
  if (const auto* mtls = authenticator.get<auth::MtlsConfig>()) return mtls->max_lifetime;
  return std::nullopt;
}

std::span<const config::Choice> parts_of(const config::Choice& way) {
  if (const auto* all_of = way.get<AllOf>()) return all_of->parts;
  return {&way, 1};
}

Result<auth::Chain> make_chain(const RouteSettings& route, std::span<const std::shared_ptr<const auth::Issuer>> issuers,
                               const config::Environment& environment, const auth::Authorities& authorities) {
  std::vector<auth::TokenSource> watched;
  for (const config::Choice& way : route.authenticate) {
    for (const config::Choice& part : parts_of(way)) {
      for (const std::string& text : sources_of(part)) {
        TRY(auto source, auth::parse_token_source(text));
        watched.push_back(std::move(source));
      }
    }
  }
  std::vector<auth::Step> steps;
  for (const config::Choice& way : route.authenticate) {
    std::vector<std::shared_ptr<const auth::Authenticator>> parts;
    for (const config::Choice& part : parts_of(way)) {
      const Surroundings around{route, issuers, watched, environment, authorities};
      TRY(auto authenticator, make_authenticator(part, around));
      parts.push_back(std::move(authenticator));
    }
    steps.emplace_back(std::move(parts));
  }
  return auth::Chain(std::move(steps), route.require);
}

std::shared_ptr<const protocol::Adapter> make_adapter(const MessagesSettings& settings) {
  switch (settings.protocol) {
    case Protocol::json:
      return std::make_shared<protocol::JsonAdapter>(settings.operation);
  }
  SALLYPORT_CHECK(false);
  return nullptr;
}

bool same_store(const config::Choice& left, const config::Choice& right) {
  const auto* a = left.get<store::SqliteConfig>();
  const auto* b = right.get<store::SqliteConfig>();
  return left.kind == right.kind && (!a || !b || a->path == b->path);
}

Result<std::unique_ptr<store::Backend>> make_store(const config::Choice& choice) {
  if (choice.get<store::MemoryConfig>())
    return std::unique_ptr<store::Backend>(std::make_unique<store::MemoryBackend>());
  if (const auto* sqlite = choice.get<store::SqliteConfig>()) {
    TRY(auto backend, store::SqliteBackend::make(*sqlite));
    return std::unique_ptr<store::Backend>(std::move(backend));
  }
  return Error{Reason::config_invalid, "no store is called '" + choice.kind + "'"};
}

}  // namespace sallyport::gateway
