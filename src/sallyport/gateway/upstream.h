#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "sallyport/base/metric.h"
#include "sallyport/gateway/settings.h"
#include "sallyport/http/url.h"
#include "sallyport/net/socket.h"
#include "sallyport/net/tls.h"
#include "sallyport/net/worker.h"

namespace sallyport::gateway {

/// One backend of a route: where it is, whether it answered last time, how many connections it holds.
/// Threads: any.
class Backend {
 public:
  Backend(std::string text, http::UpstreamUrl url) : text_(std::move(text)), url_(std::move(url)) {}

  const std::string& text() const { return text_; }
  const http::UpstreamUrl& url() const { return url_; }
  std::vector<net::Endpoint> endpoints() const;
  void set_endpoints(std::vector<net::Endpoint> endpoints);
  std::uint32_t connections() const { return connections_.load(std::memory_order_relaxed); }
  bool healthy() const { return healthy_.load(std::memory_order_relaxed); }
  /// True when that changed it.
  bool set_healthy(bool healthy) { return healthy_.exchange(healthy, std::memory_order_relaxed) != healthy; }

 private:
  friend class BackendPlace;
  std::string text_;
  http::UpstreamUrl url_;
  std::atomic<std::uint32_t> connections_{0};
  std::atomic<bool> healthy_{true};
  mutable std::mutex mutex_;
  std::vector<net::Endpoint> endpoints_;
};

/// Counts as one connection of a backend for as long as it lives.
class BackendPlace {
 public:
  BackendPlace() = default;
  explicit BackendPlace(std::shared_ptr<Backend> backend) : backend_(std::move(backend)) { ++backend_->connections_; }
  BackendPlace(BackendPlace&& other) noexcept : backend_(std::move(other.backend_)) {}
  BackendPlace& operator=(BackendPlace&& other) noexcept {
    std::swap(backend_, other.backend_);
    return *this;
  }
  ~BackendPlace() {
    if (backend_) --backend_->connections_;
  }
  const Backend& operator*() const { return *backend_; }
  const Backend* operator->() const { return backend_.get(); }
  const std::shared_ptr<Backend>& backend() const { return backend_; }

 private:
  std::shared_ptr<Backend> backend_;
};

/// The backends of a route.
/// Threads: any.
class UpstreamPool {
 public:
  /// A backend that `earlier` has as well is shared with it: its addresses, health and count go on.
  /// Errors: `config.invalid`.
  static Result<std::shared_ptr<UpstreamPool>> make(const UpstreamSettings& settings, const UpstreamPool* earlier);

  /// Connects to the healthy backend with the fewest connections (TLS and all), and to the next when that fails; a backend that
  /// failed is passed over until watch() has reached it again. When none is healthy all are tried.
  /// Errors: `upstream.unavailable`, `upstream.timeout`, `server.overloaded`, the waiter's interruption.
  struct Dialled {
    std::unique_ptr<net::Stream> stream;
    BackendPlace place;
  };
  net::Task<Result<Dialled>> dial(net::Waiter& waiter) const;

  /// Keeps addresses fresh and tries the unhealthy again, until the loop ends. Runs on the control loop.
  static net::Task<void> watch(std::shared_ptr<UpstreamPool> pool, net::Loop& loop, net::Worker& resolver,
                               std::shared_ptr<const std::atomic<bool>> stopped);
  /// Looks every name up once, blocking. A name that cannot be found yet is no error: watch() goes on trying.
  void resolve_now();

  const std::vector<std::shared_ptr<Backend>>& backends() const { return backends_; }

 private:
  explicit UpstreamPool(UpstreamSettings settings) : settings_(std::move(settings)) {}
  net::Task<Result<std::unique_ptr<net::Stream>>> connect_to(const Backend& backend, net::Waiter& waiter,
                                                             net::Deadline deadline) const;
  UpstreamSettings settings_;
  std::vector<std::shared_ptr<Backend>> backends_;
  std::shared_ptr<const net::ClientTls> tls_;
};

}  // namespace sallyport::gateway
