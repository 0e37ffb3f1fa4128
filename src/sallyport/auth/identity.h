#pragma once

#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "sallyport/base/clock.h"
#include "sallyport/base/json.h"
#include "sallyport/base/result.h"

namespace sallyport::auth {

class Identity;

/// What a mechanism needs to ask its source of truth again about an identity that it proved; nobody else looks into it.
struct Grounds {
  virtual ~Grounds() = default;
};

/// What an authenticator has proved about a peer. Empty text and empty lists mean that the credential said nothing of it.
struct Proven {
  std::string mechanism;  ///< `jwt`, `opaque`, …: the plug that proved it
  std::string subject;    ///< never empty
  std::string issuer;
  std::string tenant;
  std::string session_id;  ///< `sid`
  std::string token_id;    ///< `jti`
  std::string token_hash;  ///< SHA-256 of the credential as presented, in hex; names it without giving it away
  std::vector<std::string> scopes;
  std::vector<std::string> roles;
  std::vector<std::string> amr;
  std::string acr;
  std::optional<WallTime> authenticated_at;  ///< `auth_time`
  std::optional<WallTime> issued_at;
  bool key_bound =
      false;              ///< whoever shows the credential has to prove a key beside it, so nothing less may come of it
  WallTime expires_at{};  ///< the credential is good until here, leeway not included
  json::Value claims;     ///< further facts by name, an object or null; texts in it were not checked
  std::string watch_key;  ///< what the mechanism's watch calls it; empty: not watched. Never a credential
  std::shared_ptr<const Grounds> grounds;  ///< null: there is nobody to ask again
  std::vector<Identity> parts;             ///< of an identity that several mechanisms proved together, in their order
};

/// Who a connection belongs to, until when, and by which handles that can be revoked. Immutable, never empty; copies share one text.
/// Trust: proven by an Authenticator; subject, tenant and the like hold no control characters.
class Identity {
 public:
  // Not moved but copied, so that none is ever empty.
  Identity(const Identity&) = default;
  Identity& operator=(const Identity&) = default;

  const Proven& operator*() const { return *proven_; }
  const Proven* operator->() const { return proven_.get(); }
  /// Whether both are one and the same proof, not merely equal.
  bool is(const Identity& other) const { return proven_ == other.proven_; }

 private:
  friend class Verdict;
  explicit Identity(std::shared_ptr<const Proven> proven) : proven_(std::move(proven)) {}
  std::shared_ptr<const Proven> proven_;
};

/// An Authenticator's answer; never a bool, never a write to the wire.
class [[nodiscard]] Verdict {
 public:
  /// No credential of this kind was presented.
  static Verdict not_mine() { return Verdict(NotMine{}); }
  /// Errors: a `proven` without subject, mechanism or expiry is a bug and throws BugError.
  static Verdict accept(Proven proven) { return accept(std::make_shared<const Proven>(std::move(proven))); }
  static Verdict accept(std::shared_ptr<const Proven> proven);
  /// What was accepted before, once more.
  static Verdict accept(Identity identity) { return Verdict(std::move(identity)); }
  /// A credential of this kind was presented and does not hold. The chain ends here.
  static Verdict refuse(Error error) { return Verdict(std::move(error)); }

  bool is_not_mine() const { return std::holds_alternative<NotMine>(state_); }
  const Identity* identity() const { return std::get_if<Identity>(&state_); }
  const Error* error() const { return std::get_if<Error>(&state_); }
  /// The identity or the Error. Errors: asking a `not_mine` is a bug.
  Result<Identity> take() &&;

 private:
  struct NotMine {};
  using State = std::variant<NotMine, Identity, Error>;
  explicit Verdict(State state) : state_(std::move(state)) {}
  State state_;
};

}  // namespace sallyport::auth
