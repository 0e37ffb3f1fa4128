#pragma once

#include <exception>
#include <memory>
#include <string>
#include <thread>

#include "sallyport/auth/session/store_url.h"
#include "sallyport/base/clock.h"
#include "sallyport/net/loop.h"
#include "sallyport/net/stream.h"
#include "sallyport/net/tls.h"
#include "sallyport/net/worker.h"

namespace sallyport::auth {

/// A loop on a thread of its own, for stores that are spoken to without blocking. Nothing runs on it before start().
class SourceLoop {
 public:
  SourceLoop() : loop_(clock_) {
    // A bug costs the question that met it: its errand says so when it is dropped.
    loop_.on_escaped_exception([](std::exception_ptr) {});
  }
  ~SourceLoop() { stop(); }
  SourceLoop(const SourceLoop&) = delete;
  SourceLoop& operator=(const SourceLoop&) = delete;

  void start() {
    thread_ = std::thread([this] { loop_.run(); });
  }
  /// The thread is over, and what was spawned is destroyed where it stood. Threads: any but the loop's.
  void stop() {
    if (thread_.joinable()) {
      loop_.stop();
      thread_.join();
    }
    loop_.cancel_tasks();
  }

  net::Loop& loop() { return loop_; }
  /// For looking names up, which blocks.
  net::Worker& resolver() { return resolver_; }

 private:
  SystemClock clock_;
  net::Loop loop_;
  net::Worker resolver_;  // before the loop is gone
  std::thread thread_;
};

/// Connects to `url`, by TLS where `tls` is given. The caller attaches the stream to a Wake of its own before it waits for anything else.
/// Errors: `store.unavailable`; `deadline`'s.
/// Lifetime: the arguments outlive the task.
net::Task<Result<std::unique_ptr<net::Stream>>> dial_store(net::Waiter& waiter, net::Worker& resolver,
                                                           const StoreUrl& url,
                                                           const std::shared_ptr<const net::ClientTls>& tls,
                                                           net::Deadline deadline);

}  // namespace sallyport::auth
