#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "sallyport/auth/session/config.h"
#include "sallyport/auth/session/data.h"
#include "sallyport/auth/session/source.h"
#include "sallyport/base/secret.h"

namespace sallyport::auth::session {

/// The key of a session that lies in a store.
struct SessionKey {
  std::string text;
};

/// How one application keeps its sessions: the decoder of its framework, with the application's secrets. Pure; a value of the
/// configuration.
/// Threads: any, at the same time.
class Format {
 public:
  virtual ~Format() = default;

  /// What the cookie says: the session itself, or the key under which it lies.
  /// Trust:  `cookie` is hostile, as it came.
  /// Errors: `credential.invalid`.
  virtual Result<std::variant<SessionKey, SessionData>> read_cookie(std::string_view cookie) const = 0;
  /// What lies under a key. A format whose sessions lie in their cookies refuses all.
  /// Trust:  `stored` is hostile in form.
  /// Errors: `credential.invalid`.
  virtual Result<SessionData> read_stored(const StoredSession& stored) const = 0;
};

/// The format of `config`, which has passed its schema; `secrets` are its own, the present one first.
/// Errors: `config.invalid` when a secret has not the form that the framework gives it.
Result<std::unique_ptr<const Format>> make_format(const SessionConfig& config, const std::vector<Secret>& secrets);

/// How the framework lays its sessions out in a store.
SessionLayout layout_of(Framework framework);

}  // namespace sallyport::auth::session
