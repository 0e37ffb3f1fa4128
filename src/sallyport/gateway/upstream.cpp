#include "sallyport/gateway/upstream.h"

#include <algorithm>
#include <tuple>

namespace sallyport::gateway {
namespace {

constexpr auto health_interval = std::chrono::seconds(1);
constexpr auto resolve_interval = std::chrono::seconds(30);

}  // namespace

std::vector<net::Endpoint> Backend::endpoints() const {
  const std::scoped_lock lock(mutex_);
  return endpoints_;
}

void Backend::set_endpoints(std::vector<net::Endpoint> endpoints) {
  const std::scoped_lock lock(mutex_);
  endpoints_ = std::move(endpoints);
}

Result<std::shared_ptr<UpstreamPool>> UpstreamPool::make(const UpstreamSettings& settings,
                                                         const UpstreamPool* earlier) {
  std::shared_ptr<UpstreamPool> pool(new UpstreamPool(settings));
  std::vector<std::string> urls = settings.urls;
  if (!settings.url.empty()) urls.insert(urls.begin(), settings.url);
  for (const std::string& text : urls) {
    TRY(http::UpstreamUrl url, http::parse_upstream_url(text));
    if (url.kind == http::UpstreamUrl::Kind::tls && !pool->tls_) {
      TRY(pool->tls_, net::ClientTls::load(settings.ca_file.path));
    }
    if (earlier) {
      const auto same = std::ranges::find(earlier->backends_, text, [](const auto& known) { return known->text(); });
      if (same != earlier->backends_.end()) {
        pool->backends_.push_back(*same);
        continue;
      }
    }
    auto backend = std::make_shared<Backend>(text, std::move(url));
    if (backend->url().kind == http::UpstreamUrl::Kind::unix_socket) {
      TRY(net::Endpoint endpoint, net::Endpoint::unix_socket(backend->url().socket_path));
      backend->set_endpoints({std::move(endpoint)});
    } else if (const http::Authority& authority = backend->url().authority; authority.kind != http::HostKind::name) {
      TRY(net::Endpoint endpoint, net::Endpoint::parse_ip(authority.host, authority.port.value()));
      backend->set_endpoints({std::move(endpoint)});
    }
    pool->backends_.push_back(std::move(backend));
  }
  if (pool->backends_.empty()) return Error{Reason::config_invalid, "a route needs an upstream url"};
  return pool;
}

void UpstreamPool::resolve_now() {
  for (const auto& backend : backends_) {
    const http::Authority& authority = backend->url().authority;
    if (backend->url().kind == http::UpstreamUrl::Kind::unix_socket || authority.kind != http::HostKind::name) continue;
    auto endpoints = net::resolve(authority.host, authority.port.value());
    if (endpoints.ok()) backend->set_endpoints(std::move(endpoints).value());
  }
}

net::Task<Result<std::unique_ptr<net::Stream>>> UpstreamPool::connect_to(const Backend& backend, net::Waiter& waiter,
                                                                         net::Deadline deadline) const {
  net::Loop& loop = waiter.wake().loop();
  Error last{Reason::upstream_unavailable, backend.text() + ": no address found"};
  for (const net::Endpoint& endpoint : backend.endpoints()) {
    Result<net::Fd> fd = co_await net::connect(waiter, endpoint, deadline);
    if (!fd.ok()) {
      last = fd.error();
      if (waiter.interruption() || last.reason == deadline.late || last.reason == Reason::server_overloaded) break;
      continue;
    }
    if (backend.url().kind != http::UpstreamUrl::Kind::tls) {
      co_return std::make_unique<net::PlainStream>(loop, std::move(fd).value());
    }
    auto stream = std::make_unique<net::TlsStream>(loop, std::move(fd).value(), tls_, backend.url().authority.host);
    stream->attach(waiter.wake(), net::Waiter::readable, net::Waiter::writable);
    const Result<void> secured = co_await net::handshake(waiter, *stream, deadline);
    if (secured.ok()) co_return std::unique_ptr<net::Stream>(std::move(stream));
    last = secured.error();
    if (waiter.interruption()) break;
    if (last.reason == Reason::tls_failed) last.reason = Reason::upstream_unavailable;
    last.detail = backend.text() + ": TLS: " + last.detail;
  }
  co_return last;
}

net::Task<Result<UpstreamPool::Dialled>> UpstreamPool::dial(net::Waiter& waiter) const {
  // Counts change under our feet: they are read once, then compared.
  std::vector<std::tuple<bool, std::uint32_t, std::size_t>> order;
  for (std::size_t i = 0; i < backends_.size(); ++i)
    order.emplace_back(!backends_[i]->healthy(), backends_[i]->connections(), i);
  std::ranges::sort(order);
  Error last{Reason::upstream_unavailable, ""};
  for (const auto& [unhealthy, connections, index] : order) {
    const std::shared_ptr<Backend>& backend = backends_[index];
    BackendPlace place(backend);
    const net::Deadline deadline{waiter.wake().loop().clock().now() + settings_.connect_timeout,
                                 Reason::upstream_timeout};
    auto stream = co_await connect_to(*backend, waiter, deadline);
    if (stream.ok()) {
      backend->set_healthy(true);
      co_return Dialled{std::move(stream).value(), std::move(place)};
    }
    last = stream.error();
    // What this process lacks says nothing about the backend.
    if (waiter.interruption() || last.reason == Reason::server_overloaded) break;
    backend->set_healthy(false);
  }
  co_return last;
}

net::Task<void> UpstreamPool::watch(std::shared_ptr<UpstreamPool> pool, net::Loop& loop, net::Worker& resolver,
                                    std::shared_ptr<const std::atomic<bool>> stopped) {
  Instant resolve_at = loop.now() + resolve_interval;
  while (!*stopped) {
    const bool all_known =
        std::ranges::none_of(pool->backends_, [](const auto& backend) { return backend->endpoints().empty(); });
    if (loop.now() >= resolve_at || !all_known) {
      resolve_at = loop.now() + resolve_interval;
      auto resolve = [pool] {
        pool->resolve_now();
        return true;
      };
      co_await net::offload(resolver, loop, std::move(resolve));
    }
    for (const auto& backend : pool->backends_) {
      if (backend->healthy()) continue;
      net::Waiter waiter(loop);
      const net::Deadline deadline{loop.now() + pool->settings_.connect_timeout, Reason::upstream_timeout};
      if ((co_await pool->connect_to(*backend, waiter, deadline)).ok()) backend->set_healthy(true);
    }
    co_await loop.sleep_until(loop.now() + health_interval);
  }
}

}  // namespace sallyport::gateway
