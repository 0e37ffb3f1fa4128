#include "sallyport/gateway/route.h"

#include <algorithm>

namespace sallyport::gateway {

Route::Route(RouteSettings settings, http::OriginPolicy origins, auth::Chain chain,
             std::shared_ptr<UpstreamPool> upstream, std::shared_ptr<const protocol::Adapter> adapter)
    : settings_(std::move(settings)),
      origins_(std::move(origins)),
      chain_(std::move(chain)),
      upstream_(std::move(upstream)),
      adapter_(std::move(adapter)),
      strip_(chain_.strip()) {
  strip_.subprotocols.emplace_back(control_subprotocol);
  // Our own, which browsers send with every request to the host.
  strip_.cookies.emplace_back(refresh_cookie);
  allowed_ = net::AddressRanges::parse(settings_.addresses.allow).value();
  denied_ = net::AddressRanges::parse(settings_.addresses.deny).value();
}

Result<void> Route::check_address(const net::Endpoint& from) const {
  if (denied_.contains(from)) return Error{Reason::address_not_allowed, "one of the route's addresses.deny"};
  if (!allowed_.empty() && !allowed_.contains(from))
    return Error{Reason::address_not_allowed, "none of the route's addresses.allow"};
  return {};
}

Result<std::shared_ptr<const Route>> Routes::match(std::string_view host, std::string_view path) const {
  const std::shared_ptr<const Route>* best = nullptr;
  std::size_t best_length = 0;
  for (const auto& route : routes_) {
    const MatchSettings& match = route->settings().match;
    if (match.host != host) continue;
    if (!match.path.empty() && match.path == path) return route;
    const bool fits = !match.prefix.empty() && path.starts_with(match.prefix);
    if (fits && match.prefix.size() > best_length) {
      best = &route;
      best_length = match.prefix.size();
    }
  }
  if (!best) return Error{Reason::route_not_found, "no route for " + std::string(host) + std::string(path)};
  return *best;
}

std::shared_ptr<const Route> Routes::find(std::string_view name) const {
  const auto found = std::ranges::find_if(routes_, [&](const auto& route) { return route->name() == name; });
  return found == routes_.end() ? nullptr : *found;
}

std::vector<std::shared_ptr<const Route>> Routes::of_host(std::string_view host) const {
  std::vector<std::shared_ptr<const Route>> found;
  for (const auto& route : routes_) {
    if (route->settings().match.host == host) found.push_back(route);
  }
  return found;
}

bool Routes::has_host(std::string_view host) const {
  return std::ranges::any_of(routes_, [&](const auto& route) { return route->settings().match.host == host; });
}

}  // namespace sallyport::gateway
