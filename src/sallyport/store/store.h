#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sallyport/base/clock.h"
#include "sallyport/base/result.h"
#include "sallyport/net/task.h"

/// What has to outlive a connection or reach another instance: opaque tokens, revocations, and what may happen only once. A
/// store keeps rows and gives them back; what they mean is decided above it, once.
namespace sallyport::store {

using TokenHash =
    std::array<std::uint8_t, 32>;  ///< SHA-256 of the token as presented; the token itself is never stored

/// Who an opaque token speaks for.
struct TokenRow {
  TokenHash hash{};
  std::string id;  ///< public name of the row (`jti`), safe to log
  std::string subject;
  std::string session_id;
  std::string tenant;
  std::string issuer;  ///< who proved the subject before the token was given; empty: whoever issued the token knows it
  std::string route;   ///< the only route that it is good on; empty: any
  std::vector<std::string> scopes;
  std::vector<std::string> roles;
  WallTime issued_at{};
  WallTime expires_at{};
  std::optional<WallTime> last_used_at;
  std::optional<WallTime> revoked_at;

  bool operator==(const TokenRow&) const = default;
};

/// What a revocation names.
enum class Handle : std::uint8_t { subject, session_id, token_id, token_hash, connection };

/// `sub`, `sid`, `jti`, `token_hash`, `connection`: the names used in the API, the CLI and the log.
std::string_view name_of(Handle handle);
std::optional<Handle> handle_named(std::string_view name);

/// Credentials and live connections that are no longer good.
struct Revocation {
  std::uint64_t id = 0;  ///< given by the store, strictly rising
  Handle handle = Handle::subject;
  std::string value;
  std::optional<std::string> issuer;      ///< only credentials of this `iss`; absent: of any
  std::optional<WallTime> issued_before;  ///< only credentials issued before; absent: all, later ones too
  WallTime created_at{};
  WallTime keep_until{};  ///< when the last credential that it covers will have expired
  std::string reason;     ///< the operator's words

  bool operator==(const Revocation&) const = default;
};

/// One loop's access to the store. Every call may wait for the store, never for a peer. Strings may hold any bytes.
/// Errors:   `store.unavailable` with the system's words, for every call; the caller denies. Later calls work once the
/// cause is gone. Suspends: as long as the plug's README says; there is no other deadline. Threads:  the Loop it was
/// opened for. Lifetime: destroyed before its Loop; its Backend may be gone by then. A call that was begun must not be
/// resumed after that.
class Store {
 public:
  virtual ~Store() = default;

  /// Adds a token. Errors: also `request.invalid` when the hash or the id is taken.
  virtual net::Task<Result<void>> put_token(TokenRow row) = 0;
  /// The row, expired and revoked ones included, or nullopt.
  virtual net::Task<Result<std::optional<TokenRow>>> find_token(TokenHash hash) = 0;
  /// Marks the token `revoked_at`; the row afterwards, or nullopt when there is none with this id. A mark it has
  /// already stays.
  virtual net::Task<Result<std::optional<TokenRow>>> revoke_token(std::string id, WallTime at) = 0;
  /// Takes note that the token was used. Returns at once; notes are written together, at most once a second and token,
  /// and at flush(). A note lost in a crash is accepted: it is for people, not for decisions.
  virtual void note_use(TokenHash hash, WallTime at) = 0;
  /// Writes the notes taken so far by all loops.
  virtual net::Task<Result<void>> flush() = 0;

  /// Persists a revocation; done means durable. Returns it with its id; the `id` passed in is not looked at.
  virtual net::Task<Result<Revocation>> add_revocation(Revocation revocation) = 0;
  /// All with id greater than `after` whose keep_until is after `now`, in order of id. `after` 0: all that are in
  /// force.
  virtual net::Task<Result<std::vector<Revocation>>> revocations(std::uint64_t after, WallTime now) = 0;

  // What follows is atomic over all instances of the store, and done means durable. Keys hold any bytes; each user begins its own
  // with a name and a colon. Claims and kept values are apart: a key of the one is none of the other.

  /// True for the first who comes with `key`; false for all others until `until`, and from then on until purge() has
  /// forgotten it. For nonces, the `jti` of proofs, the time steps of one-time passwords.
  virtual net::Task<Result<bool>> claim(std::string key, WallTime until) = 0;
  /// Keeps `value` under `key` until it is taken or `until`. Errors: also `request.invalid` when the key is taken, also by a
  /// value whose time is over and that was not purged yet.
  virtual net::Task<Result<void>> put_once(std::string key, std::string value, WallTime until) = 0;
  /// Gives the value to exactly one caller, and nullopt to everybody else: when there is none, or its `until` is not
  /// after `now`.
  virtual net::Task<Result<std::optional<std::string>>> take_once(std::string key, WallTime now) = 0;
  /// The value that take_once() would give, left where it is. Who acts on it may be too late: another may take it meanwhile.
  virtual net::Task<Result<std::optional<std::string>>> find_once(std::string key, WallTime now) = 0;

  /// Forgets tokens whose `expires_at`, revocations whose `keep_until`, and claims and kept values whose `until` is not after
  /// `now`; how many. Ids are not given again.
  virtual net::Task<Result<std::size_t>> purge(WallTime now) = 0;
};

}  // namespace sallyport::store
