#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "sallyport/auth/authenticator.h"
#include "sallyport/auth/session/config.h"
#include "sallyport/auth/session/format.h"
#include "sallyport/auth/session/mapping.h"
#include "sallyport/auth/session/source.h"
#include "sallyport/config/environment.h"
#include "sallyport/config/plug.h"

namespace sallyport::auth {

/// Accepts the session that a web framework keeps for a user who is logged in there. Mechanism `session`.
class SessionAuthenticator final : public Authenticator {
 public:
  struct Parts {
    Framework framework = Framework::express;
    std::string cookie;
    std::unique_ptr<const session::Format> format;
    session::Mapping mapping;
    std::shared_ptr<SessionSource> source;  ///< null: sessions lie in their cookies
    std::shared_ptr<SessionSource> users;   ///< by subject; null: nobody is asked about them
    std::vector<Secret> secrets;            ///< the application's, the present one first
    std::chrono::seconds max_age{};
  };
  explicit SessionAuthenticator(Parts parts) : parts_(std::move(parts)) {}

  std::string_view mechanism() const override { return "session"; }
  /// Errors: `origin.missing`, `credential.ambiguous`, `credential.invalid`, `credential.expired`, `credential.revoked`;
  ///         `store.unavailable`; `deadline.late`.
  net::Task<Verdict> authenticate(const Evidence& evidence, Here& here, net::Deadline deadline) const override;
  /// Reads each session again, all by one question to the store, and their users by another where they are known. What lies in its
  /// cookie holds as it is.
  /// Errors: `credential.revoked` when the session is gone, nobody is logged in there any more, or the password was changed since;
  ///         `credential.other_subject`; `credential.expired`; `store.unavailable`; `deadline.late`.
  net::Task<std::vector<Verdict>> recheck(std::vector<Identity> present, Here& here,
                                          net::Deadline deadline) const override;
  std::unique_ptr<Watch> watch(net::Loop& control, Changed changed) const override;
  void add_to(http::Strip& strip) const override;

 private:
  Result<std::optional<std::string>> find_cookie(const Evidence& evidence) const;
  Result<Proven> conclude(const session::SessionData& data, const std::string& key, std::optional<WallTime> store_says,
                          WallTime now) const;
  Verdict judge_again(const Identity& present, const std::optional<StoredSession>& stored, WallTime now) const;

  Parts parts_;
};

/// `kept_claims` are the top-level names in a session that somebody will ask an identity for.
/// Errors: `config.invalid` when a secret cannot be read or has not the form that the framework gives it; as make_session_source().
Result<std::shared_ptr<const Authenticator>> make_authenticator(const SessionConfig& config,
                                                                const config::Environment& environment,
                                                                std::vector<std::string> kept_claims);

config::Plug session_plug();

}  // namespace sallyport::auth
