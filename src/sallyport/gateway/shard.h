#pragma once

#include <atomic>
#include <memory>
#include <thread>
#include <unordered_set>
#include <vector>

#include "sallyport/base/log.h"
#include "sallyport/crypto/random.h"
#include "sallyport/gateway/lobby.h"
#include "sallyport/gateway/metrics.h"
#include "sallyport/gateway/rechecks.h"
#include "sallyport/gateway/relay.h"
#include "sallyport/gateway/sessions.h"
#include "sallyport/gateway/snapshot.h"
#include "sallyport/net/loop.h"
#include "sallyport/store/backend.h"

namespace sallyport::gateway {

class Http2Connection;
class Shard;

/// What all loops share. Threads: any.
struct Shared {
  const Clock& clock;
  Log& log;
  SharedLimits limits;
  Revocations revocations;
  std::atomic<bool> draining{false};
  std::vector<Shard*> shards;  ///< all of them, before the first starts
};

/// A bug that reached the top of a loop: logged, and nothing else ends for it.
void report_bug(Shared& shared, std::exception_ptr bug);

/// One core's share of the gateway: a loop on a thread of its own, and all that belongs to the connections on it.
class Shard {
 public:
  Shard(Shared& shared, store::Backend& backend, std::shared_ptr<const Snapshot> snapshot);
  /// Ends every connection where it stands.
  ~Shard();

  /// Accepts from these, one per entry of settings.listen, on the shard's own thread from now on.
  void start(std::vector<net::Fd> listeners);
  /// Ends the thread; nothing of this shard runs from then on. Threads: the control loop's.
  void stop();
  /// Takes no new connections. Threads: the loop's own.
  void stop_accepting();

  net::Loop& loop() { return loop_; }

  // Threads: the loop's own, but for metrics.
  Shared& shared;
  std::shared_ptr<const Snapshot> snapshot;
  Sessions sessions;
  Lobby lobby;
  Metrics metrics;
  Scratch scratch;
  crypto::SystemRandom random;
  std::unordered_set<Http2Connection*> http2;  ///< those that live here

  Rechecks& rechecks() { return rechecks_; }
  auth::Here here() { return {loop_, *store_, http_, random}; }

 private:
  net::Task<void> accept_from(std::size_t index, net::Fd listener);

  net::Loop loop_;
  net::HttpClient http_;
  std::unique_ptr<store::Store> store_;
  Rechecks rechecks_;
  std::vector<net::Waiter*> acceptors_;
  std::thread thread_;
};

}  // namespace sallyport::gateway
