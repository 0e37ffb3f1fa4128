#pragma once

#include <memory>
#include <string>
#include <vector>

#include "sallyport/auth/chain.h"
#include "sallyport/gateway/settings.h"
#include "sallyport/gateway/upstream.h"
#include "sallyport/http/origin.h"
#include "sallyport/http/upgrade.h"
#include "sallyport/net/address_range.h"
#include "sallyport/protocol/adapter.h"

namespace sallyport::gateway {

/// The subprotocol by which a client opts in to the control channel.
inline constexpr std::string_view control_subprotocol = "sallyport.v1";
/// The cookie that the token service gives pages.
inline constexpr std::string_view refresh_cookie = "__Host-sallyport-refresh";

/// One route of the configuration, ready to use. Immutable; a connection keeps the one that it was admitted by.
/// Threads: any.
class Route {
 public:
  /// `adapter` is null when the route does not look into messages.
  Route(RouteSettings settings, http::OriginPolicy origins, auth::Chain chain, std::shared_ptr<UpstreamPool> upstream,
        std::shared_ptr<const protocol::Adapter> adapter);

  const std::string& name() const { return settings_.name; }
  const RouteSettings& settings() const { return settings_; }
  const http::OriginPolicy& origins() const { return origins_; }
  /// Errors: `address.not_allowed`.
  Result<void> check_address(const net::Endpoint& from) const;
  const auth::Chain& chain() const { return chain_; }
  const UpstreamPool& upstream() const { return *upstream_; }
  const std::shared_ptr<UpstreamPool>& upstream_pool() const { return upstream_; }
  /// Understands what clients send; null: nobody does.
  const protocol::Adapter* adapter() const { return adapter_.get(); }
  /// What the backend must not see of an upgrade.
  const http::Strip& strip() const { return strip_; }

 private:
  RouteSettings settings_;
  http::OriginPolicy origins_;
  auth::Chain chain_;
  std::shared_ptr<UpstreamPool> upstream_;
  std::shared_ptr<const protocol::Adapter> adapter_;
  http::Strip strip_;
  net::AddressRanges allowed_;
  net::AddressRanges denied_;
};

/// All routes. An exact path goes before a prefix, a longer prefix before a shorter; the order in the file has no meaning.
class Routes {
 public:
  explicit Routes(std::vector<std::shared_ptr<const Route>> routes) : routes_(std::move(routes)) {}

  /// Errors: `route.not_found`.
  Result<std::shared_ptr<const Route>> match(std::string_view host, std::string_view path) const;
  Result<std::shared_ptr<const Route>> match(const http::Upgrade& upgrade) const {
    return match(upgrade.host(), upgrade.path());
  }
  /// nullptr when there is none.
  std::shared_ptr<const Route> find(std::string_view name) const;
  bool has_host(std::string_view host) const;
  std::vector<std::shared_ptr<const Route>> of_host(std::string_view host) const;
  const std::vector<std::shared_ptr<const Route>>& all() const { return routes_; }

 private:
  std::vector<std::shared_ptr<const Route>> routes_;
};

}  // namespace sallyport::gateway
