#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "sallyport/base/log.h"
#include "sallyport/gateway/shard.h"
#include "sallyport/gateway/snapshot.h"
#include "sallyport/net/http_client.h"
#include "sallyport/net/worker.h"
#include "sallyport/store/backend.h"

namespace sallyport::gateway {

/// What a revocation did here.
struct Revoked {
  store::Revocation revocation;
  std::size_t closed = 0;  ///< live connections of this process
};

/// What `revoke` takes: a handle and, where wanted, its bounds.
struct RevocationRequest {
  store::Handle handle;
  std::string value;
  std::optional<std::string> issuer;
  std::optional<WallTime> issued_before;
  std::string reason;
};

/// The whole process: the shards that serve clients, and the control loop that keeps keys, backends and revocations current.
/// Threads: everything but the constructor and destructor belongs to the control loop's thread.
class Gateway {
 public:
  /// Reads the files, opens the store, loads the revocations in force and binds the listeners; serves nobody yet.
  /// Errors: `config.invalid`, `store.unavailable`. Lifetime: `log` and `clock` outlive it.
  static Result<std::unique_ptr<Gateway>> open(Settings settings, config::Environment environment, Log& log,
                                               const Clock& clock);
  ~Gateway();

  /// Starts the shards and runs the control loop on this thread until a drain is over; then nothing of them is left.
  void run();
  net::Loop& control() { return control_; }

  /// Puts a new configuration in place of the present one; live connections stay. Nothing changes on an Error.
  /// Errors: `config.invalid`, also where listen, admin, store or threads differ, which takes a restart.
  Result<void> reload(Settings settings);

  /// Takes no new connections, closes the live ones with `server.draining`, waits for them, and ends run().
  net::Task<void> drain();

  /// Makes it durable, refuses what it covers from now on, and closes what it covers. When it returns, the close frames are on
  /// their way. Errors: `store.unavailable`; then nothing was closed.
  net::Task<Result<Revoked>> revoke(RevocationRequest request);
  /// Revokes the token and closes its live connections. nullopt: no token has this id.
  net::Task<Result<std::optional<Revoked>>> revoke_token(std::string id, std::string reason);
  net::Task<Result<std::vector<SessionInfo>>> connections();
  /// False when no connection has this id.
  net::Task<Result<bool>> close_connection(std::string id, std::string reason);

  store::Store& store() { return *store_; }
  const std::shared_ptr<const Snapshot>& snapshot() const { return snapshot_; }
  Shared& shared() { return shared_; }
  bool draining() const { return shared_.draining; }
  /// Why no connection should be sent here now; empty when it is ready.
  std::string not_ready() const;
  /// The Prometheus page.
  std::string metrics_text() const;
  /// Where the listeners really are, in the order of settings.listen.
  const std::vector<net::Endpoint>& addresses() const { return addresses_; }

 private:
  Gateway(config::Environment environment, Log& log, const Clock& clock);
  Result<void> bind_listeners();
  Result<void> load_revocations();
  void start_upkeep();
  std::vector<std::unique_ptr<auth::Watch>> start_watches();
  WallTime keep_until(store::Handle handle) const;
  net::Task<Result<std::size_t>> close_covered(store::Revocation revocation);
  net::Task<void> watch_revocations();
  net::Task<void> look_after_authorities();
  net::Task<void> look_after_store();

  config::Environment environment_;
  Shared shared_;
  net::Loop control_;
  net::Worker resolver_;
  net::HttpClient http_;
  crypto::SystemRandom random_;
  std::unique_ptr<store::Backend> backend_;
  std::unique_ptr<store::Store> store_;
  std::shared_ptr<const Snapshot> snapshot_;
  std::vector<net::Endpoint> addresses_;
  std::vector<std::vector<net::Fd>> listeners_;  // of each shard, until it starts
  std::vector<std::unique_ptr<Shard>> shards_;
  std::vector<std::unique_ptr<auth::KeyUpkeep>> key_upkeeps_;
  std::vector<std::unique_ptr<auth::Watch>> watches_;
  std::shared_ptr<std::atomic<bool>> upkeep_stopped_;
  bool store_answers_ = true;
  std::uint64_t watched_id_ = 0;  // the last revocation that watch_revocations() has seen
};

}  // namespace sallyport::gateway
