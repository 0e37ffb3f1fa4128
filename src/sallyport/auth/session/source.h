#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sallyport/auth/session/layout.h"
#include "sallyport/auth/session/store_config.h"
#include "sallyport/base/clock.h"
#include "sallyport/base/result.h"
#include "sallyport/config/environment.h"
#include "sallyport/net/loop.h"
#include "sallyport/net/stream.h"
#include "sallyport/net/task.h"

/// Where a framework keeps its sessions. A source finds what lies under a key and gives back its bytes; what they mean is decided by
/// the decoder of the framework. Nothing is ever written, and no answer is kept: the next question asks the store again.
namespace sallyport::auth {

/// What a store holds under a session's key. A value.
/// Trust: as much as the application is trusted that wrote it; a decoder bounds what it makes of it.
struct StoredSession {
  std::string data;  ///< as the framework serialized it; empty where the session consists of `fields`
  /// The parts of a session that its store keeps apart, by name: the fields of a hash, columns beside the data, rows of attributes.
  std::vector<std::pair<std::string, std::string>> fields;
  std::optional<WallTime> expires_at;  ///< where the store itself says when it ends

  bool operator==(const StoredSession&) const = default;
};

/// Tells of changes for as long as it lives.
class SourceWatch {
 public:
  virtual ~SourceWatch() = default;
  /// Why changes are not told at once now; empty when they are. For operators; never a secret. Threads: the control loop's.
  virtual std::string trouble() const = 0;
};

/// A store of sessions, open for questions. Connects when it is first asked, and again after a loss, at growing intervals; nothing
/// waits for such an interval to be over.
/// Errors:   `store.unavailable` while the store cannot be used, its detail without credentials; `deadline.late`. Never for one session:
///           what is larger than largest_session, or cannot be read, counts as absent.
/// Threads:  any loop's, for find() and find_many(); what they do happens on threads of the source's own, so a loop never waits.
/// Lifetime: a task, a watch and the loop that they run on may outlive the source, and it them.
class SessionSource {
 public:
  static constexpr std::size_t largest_session = 1024 * 1024;  ///< bytes, all fields included

  virtual ~SessionSource() = default;

  /// The session that lies under `key`, or nullopt; one that has ended may be either.
  /// Trust:    `key` is hostile: one that check_session_key() refuses is never put to the store, and lies under nothing.
  /// Suspends: until the store has answered or `deadline`.
  virtual net::Task<Result<std::optional<StoredSession>>> find(std::string key, net::Loop& here,
                                                               net::Deadline deadline);
  /// The same for several, in their order, by one query or one burst of commands.
  virtual net::Task<Result<std::vector<std::optional<StoredSession>>>> find_many(std::vector<std::string> keys,
                                                                                 net::Loop& here,
                                                                                 net::Deadline deadline) = 0;

  /// The key of a session that was changed, has ended or was deleted; empty: any may have been, the watch has missed something.
  using Changed = std::function<void(std::string_view key)>;
  /// Watches the store. nullptr: it cannot be watched, and asking again from time to time is all there is.
  /// Threads: `control`'s, for `changed` too, which is not called any more once the watch is gone.
  virtual std::unique_ptr<SourceWatch> watch(net::Loop& control, Changed changed);
};

/// Whether `key` may be put to a store: 1 to 256 letters, digits and `-_.,:=+@~`. No more than that is needed by the frameworks that
/// are known, and none of it means something in a path, a pattern or a line of a protocol.
/// Trust: `key` is hostile. Errors: `credential.invalid`.
Result<void> check_session_key(std::string_view key);

/// The source that `config` describes, what it leaves unsaid taken from `layout`. Connects to nothing yet.
/// Errors: `config.invalid`: a secret or a file of authorities that cannot be read, a setting that is missing from both.
Result<std::shared_ptr<SessionSource>> make_session_source(const SessionStoreConfig& config,
                                                           const SessionLayout& layout,
                                                           const config::Environment& environment);

}  // namespace sallyport::auth
