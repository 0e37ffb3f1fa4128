#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "sallyport/base/secret.h"
#include "sallyport/crypto/random.h"
#include "sallyport/jose/jwk.h"
#include "sallyport/net/http_client.h"
#include "sallyport/net/loop.h"
#include "sallyport/net/stream.h"

namespace sallyport::auth {

/// For metrics and health.
struct KeyStatus {
  std::size_t keys = 0;               ///< in the set that is in use; 0: never loaded, every token is refused
  std::optional<WallTime> loaded_at;  ///< when that set was read or last confirmed by its source
  std::string last_error;             ///< why the latest attempt failed; empty when it did not
  std::vector<std::string> notes;     ///< keys of the set that were left out, and why
  std::uint64_t fetches_ok = 0;
  std::uint64_t fetches_failed = 0;
};

/// Where the keys of an issuer come from.
/// Threads: any, for every function.
class KeySource {
 public:
  using Snapshot = std::shared_ptr<const jose::JwkSet>;
  virtual ~KeySource() = default;

  /// The set in use; nullptr when none was ever loaded. Cheap; what was handed out stays as it is.
  virtual Snapshot snapshot() const = 0;
  /// For a token whose key is not in `seen`: the set in use, after the source was asked for a newer one if its turn has come. The
  /// same as `seen` when there is nothing newer.
  /// Suspends: until the source has answered or `deadline`. Errors: `deadline.late`; nothing else.
  /// Threads:  `here` is the caller's loop. Lifetime: the source outlives the task.
  virtual net::Task<Result<Snapshot>> newer_than(Snapshot seen, net::Loop& here, net::Deadline deadline) = 0;
  virtual KeyStatus status() const = 0;
};

/// Keys that do not change. To read them again is to make a new one.
class FixedKeys final : public KeySource {
 public:
  FixedKeys(jose::JwkSet keys, WallTime loaded_at);

  Snapshot snapshot() const override { return keys_; }
  net::Task<Result<Snapshot>> newer_than(Snapshot seen, net::Loop& here, net::Deadline deadline) override;
  KeyStatus status() const override;

 private:
  Snapshot keys_;
  WallTime loaded_at_;
};

/// The key set in the file at `path`. One that may hold secrets must not be open to everybody on the machine.
/// Errors: `config.invalid` when it cannot be read or holds no usable key.
Result<std::shared_ptr<KeySource>> make_file_keys(const std::string& path, jose::JwkRules rules, WallTime now);

/// One secret, for each of `algorithms`.
/// Errors: `config.invalid` when it is well-known, under 32 bytes or shorter than the hash of one of the algorithms; an algorithm
///         that is not symmetric.
Result<std::shared_ptr<KeySource>> make_secret_keys(const Secret& secret,
                                                    const std::vector<jose::Algorithm>& algorithms, WallTime now);

enum class PlaintextJwks : std::uint8_t { loopback_only, dangerous_allowed };

/// Allows `url` as the place of a key set: https, or http to this machine itself, because whoever sits on the way could otherwise
/// replace the keys.
/// Errors: `config.invalid`, its detail written for whoever wrote the configuration.
Result<void> check_jwks_url(std::string_view url, PlaintextJwks plaintext);

struct UrlKeysSettings {
  std::string url;      ///< allowed by check_jwks_url()
  std::string ca_file;  ///< empty: the system's authorities
  std::chrono::seconds refresh{300};

  bool operator==(const UrlKeysSettings&) const = default;
};

class KeyUpkeep;

/// Public keys fetched from a URL by a KeyUpkeep; empty until the first fetch. The last good set stays while the source is down or
/// serves nonsense.
/// Lifetime: `control`, the loop on which the upkeep lives, outlives it.
class UrlKeys final : public KeySource, public std::enable_shared_from_this<UrlKeys> {
 public:
  /// At most one fetch in this time is made for the sake of unknown keys, over all loops.
  static constexpr Duration min_pause = std::chrono::seconds(10);
  /// Where the wait between attempts starts while there are no keys at all; it doubles up to min_pause.
  static constexpr Duration first_retry = std::chrono::seconds(1);
  static constexpr Duration fetch_timeout = std::chrono::seconds(5);

  UrlKeys(UrlKeysSettings settings, net::Loop& control) : settings_(std::move(settings)), control_(control) {}

  /// Begins with the keys that `earlier` has, if it asks the same URL.
  void start_from(const UrlKeys& earlier);

  Snapshot snapshot() const override;
  /// Callers that come while a fetch is under way share it.
  net::Task<Result<Snapshot>> newer_than(Snapshot seen, net::Loop& here, net::Deadline deadline) override;
  KeyStatus status() const override;
  const UrlKeysSettings& settings() const { return settings_; }
  net::Loop& control() const { return control_; }

 private:
  friend class KeyUpkeep;
  net::Task<Result<Snapshot>> ask(Snapshot seen);
  bool may_fetch(Instant now) const;

  const UrlKeysSettings settings_;
  net::Loop& control_;

  mutable std::mutex mutex_;  // guards what follows; never held while anything is awaited
  Snapshot keys_;
  KeyStatus status_;
  Instant next_fetch_allowed_{};
  bool fetching_ = false;

  KeyUpkeep* upkeep_ = nullptr;  // this and the next: the control loop's thread only
  std::vector<net::Wake*> waiting_;
};

/// Keeps a UrlKeys fresh for as long as it exists: fetches at once, then every `refresh` give or take a tenth, sooner after a failure.
/// Threads:  the control loop's. Lifetime: `client` belongs to that loop and outlives it.
class KeyUpkeep {
 public:
  KeyUpkeep(std::shared_ptr<UrlKeys> keys, net::HttpClient& client, crypto::Random& random);
  ~KeyUpkeep();
  KeyUpkeep(const KeyUpkeep&) = delete;
  KeyUpkeep& operator=(const KeyUpkeep&) = delete;

 private:
  friend class UrlKeys;
  static constexpr std::uint32_t due = 1;
  static constexpr std::uint32_t asked = 2;

  net::Task<void> run();
  net::Task<Result<jose::JwkSet>> fetch();
  void settle(Result<jose::JwkSet> fetched);
  Duration pause();
  void wake_waiting();

  std::shared_ptr<UrlKeys> keys_;
  net::HttpClient& client_;
  crypto::Random& random_;
  net::Wake wake_;
  net::Timer timer_;
  int failures_ = 0;  // since the last success
  net::Task<void> task_;
};

}  // namespace sallyport::auth
