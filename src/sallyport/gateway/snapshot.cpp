#include "sallyport/gateway/snapshot.h"

#include <algorithm>

#include "sallyport/config/file.h"
#include "sallyport/gateway/authorize.h"
#include "sallyport/gateway/plugs.h"

namespace sallyport::gateway {
namespace {

constexpr std::size_t min_admin_token = 16;

// Who may vouch for clients. Those of an earlier configuration go on being the same, so that whom they verified stays known to them.
class AuthorityLoader {
 public:
  explicit AuthorityLoader(const Snapshot* earlier) : earlier_(earlier) {}

  Result<std::shared_ptr<const crypto::ClientAuthorities>> load(const crypto::ClientTrust& trust) {
    std::shared_ptr<crypto::ClientAuthorities> found = find(loaded_, trust);
    if (!found && earlier_) {
      found = find(earlier_->authorities, trust);
      if (found) {
        TRY_OK(found->refresh());
        loaded_.push_back(found);
      }
    }
    if (!found) {
      TRY(found, crypto::ClientAuthorities::load(trust));
      loaded_.push_back(found);
    }
    return std::shared_ptr<const crypto::ClientAuthorities>(std::move(found));
  }
  auth::Authorities all() const { return {loaded_.begin(), loaded_.end()}; }
  std::vector<std::shared_ptr<crypto::ClientAuthorities>> take() && { return std::move(loaded_); }

 private:
  using All = std::vector<std::shared_ptr<crypto::ClientAuthorities>>;
  static std::shared_ptr<crypto::ClientAuthorities> find(const All& all, const crypto::ClientTrust& trust) {
    const auto found = std::ranges::find_if(all, [&](const auto& one) { return one->trust() == trust; });
    return found == all.end() ? nullptr : *found;
  }

  const Snapshot* earlier_;
  All loaded_;
};

Result<std::shared_ptr<const net::ServerTls>> load_tls(const TlsSettings& settings, net::Alpn alpn,
                                                       AuthorityLoader& authorities) {
  std::vector<net::CertificateFiles> files;
  if (!settings.certificate.empty()) files.push_back({settings.certificate.path, settings.key.path});
  for (const CertificateSettings& more : settings.certificates) files.push_back({more.certificate.path, more.key.path});
  net::ClientCertificates clients;
  if (!settings.client_ca.empty()) {
    using Purpose = crypto::ClientTrust::Purpose;
    const Purpose purpose = settings.dangerous_client_any_purpose ? Purpose::client_or_unsaid : Purpose::client;
    TRY(clients.authorities,
        authorities.load({settings.client_ca.path, settings.client_crl.path, settings.client_depth, purpose}));
    clients.demand = settings.client_auth == ClientAuth::require ? net::ClientCertificates::Demand::require
                                                                 : net::ClientCertificates::Demand::request;
  }
  return net::ServerTls::load(files, alpn, std::move(clients));
}

// What stands between the clients and the listeners.
Result<void> load_proxies(Snapshot& snapshot, AuthorityLoader& authorities) {
  for (const ListenSettings& listen : snapshot.settings.listen) {
    auto& of_listener = snapshot.proxy_protocol.emplace_back();
    if (!listen.proxy_protocol) continue;
    TRY(of_listener, net::AddressRanges::parse(listen.proxy_protocol->trusted));
  }
  const auto& proxies = snapshot.settings.trusted_proxies;
  if (!proxies) return {};
  TRY(snapshot.trusted_proxies, net::AddressRanges::parse(proxies->addresses));
  if (!proxies->certificate) return {};
  const ForwardedCertificateSettings& certificate = *proxies->certificate;
  TRY(snapshot.forwarded_authorities,
      authorities.load({certificate.client_ca.path, certificate.client_crl.path, certificate.client_depth, {}}));
  return {};
}

Result<std::shared_ptr<const Assertion>> load_assertion(const AssertionSettings& settings,
                                                        const config::Environment& environment) {
  if (settings.keys_file.empty()) return Assertion::ephemeral(settings);
  TRY(const Secret keys, config::load_secret({config::SecretSource::Kind::file, settings.keys_file.path}, environment));
  return Assertion::make(settings, keys.reveal());
}

Result<std::shared_ptr<const Route>> make_route(const RouteSettings& settings, const Snapshot& of_this,
                                                const config::Environment& environment,
                                                const auth::Authorities& authorities, const Snapshot* earlier) {
  TRY(auto origins, http::make_origin_policy(settings.origins));
  TRY(auto chain, make_chain(settings, of_this.issuers, environment, authorities));
  const auto before = earlier ? earlier->routes.find(settings.name) : nullptr;
  TRY(auto upstream, UpstreamPool::make(settings.upstream, before ? &before->upstream() : nullptr));
  // At the start nobody waits yet; at a reload the control loop must not, and the pool's watch looks new names up.
  if (!earlier) upstream->resolve_now();
  return std::shared_ptr<const Route>(
      std::make_shared<Route>(settings, std::move(origins), std::move(chain), std::move(upstream),
                              settings.messages ? make_adapter(*settings.messages) : nullptr));
}

// The claims of this issuer's tokens that a route will look at.
std::vector<std::string> claims_asked_for(const Settings& settings, const std::string& issuer) {
  std::vector<std::string> names;
  for (const RouteSettings& route : settings.routes) {
    for (const config::Choice& way : route.authenticate) {
      for (const config::Choice& part : parts_of(way)) {
        if (issuer_of(part) == issuer) std::ranges::move(route.require.claim_names(), std::back_inserter(names));
      }
    }
  }
  return names;
}

}  // namespace

Result<std::shared_ptr<const Snapshot>> make_snapshot(Settings settings, const config::Environment& environment,
                                                      net::Loop& control, const Snapshot* earlier) {
  std::vector<std::shared_ptr<const auth::Issuer>> issuers;
  for (const auth::IssuerConfig& config : settings.issuers) {
    const auth::Issuer* before = nullptr;
    if (earlier) {
      const auto found = std::ranges::find(earlier->issuers, config.name, &auth::Issuer::name);
      if (found != earlier->issuers.end()) before = found->get();
    }
    TRY(auto issuer, auth::make_issuer(config, environment, control, before, claims_asked_for(settings, config.name)));
    issuers.push_back(std::move(issuer));
  }
  std::shared_ptr<const auth::TokenService> token_service;
  if (const auto& config = settings.token_service) {
    TRY(const Secret keys,
        config::load_secret({config::SecretSource::Kind::file, config->keys_file.path}, environment));
    TRY(token_service, auth::TokenService::make(*config, keys.reveal(), environment, control.wall(),
                                                claims_asked_for(settings, std::string(auth::token_service_name))));
    issuers.push_back(token_service->issuer());
  }
  auto snapshot = std::make_shared<Snapshot>(Snapshot{std::move(settings), Routes({}), {}, {}, {}, {}, {}, {}});
  snapshot->issuers = std::move(issuers);
  snapshot->token_service = std::move(token_service);
  AuthorityLoader authorities(earlier);
  for (const ListenSettings& listen : snapshot->settings.listen) {
    snapshot->authorizations.push_back(nullptr);
    if (listen.authorize) {
      TRY(snapshot->authorizations.back(), make_authorization(*listen.authorize, environment));
    }
    if (!listen.tls) {
      snapshot->listener_tls.push_back(nullptr);
      continue;
    }
    TRY(auto tls, load_tls(*listen.tls, listen.http2 ? net::Alpn::http2_or_http1 : net::Alpn::http1, authorities));
    snapshot->listener_tls.push_back(std::move(tls));
  }
  TRY_OK(load_proxies(*snapshot, authorities));
  // Those of the admin port, below, vouch for nobody who comes to a route.
  const auth::Authorities of_clients = authorities.all();
  std::vector<std::shared_ptr<const Route>> routes;
  for (const RouteSettings& route : snapshot->settings.routes) {
    Result<std::shared_ptr<const Route>> made = make_route(route, *snapshot, environment, of_clients, earlier);
    if (!made.ok()) return Error{Reason::config_invalid, "route '" + route.name + "': " + made.error().detail};
    routes.push_back(std::move(made).value());
  }
  snapshot->routes = Routes(std::move(routes));
  if (const auto& admin = snapshot->settings.admin) {
    if (admin->tls) {
      TRY(snapshot->admin_tls, load_tls(*admin->tls, net::Alpn::http1, authorities));
    }
    TRY(snapshot->admin_token, config::load_secret(admin->token, environment));
    if (snapshot->admin_token.size() < min_admin_token) {
      return Error{Reason::config_invalid, "admin.token: at least " + std::to_string(min_admin_token) +
                                               " bytes are needed; make one with `openssl rand -hex 32`"};
    }
  }
  TRY(snapshot->assertion, load_assertion(snapshot->settings.assertion, environment));
  snapshot->authorities = std::move(authorities).take();
  return std::shared_ptr<const Snapshot>(std::move(snapshot));
}

}  // namespace sallyport::gateway
