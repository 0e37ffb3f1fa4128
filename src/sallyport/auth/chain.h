#pragma once

#include <memory>
#include <string>
#include <vector>

#include "sallyport/auth/authenticator.h"
#include "sallyport/auth/requirements.h"

namespace sallyport::auth {

/// One alternative of a Chain: a mechanism, or several of which each must prove its part.
class Step {
 public:
  /// At least one; the first speaks for the identity.
  explicit Step(std::vector<std::shared_ptr<const Authenticator>> all_of);

  /// The mechanism's name, or all of them joined by `+`: `mtls+jwt`.
  const std::string& name() const { return name_; }
  const std::vector<std::shared_ptr<const Authenticator>>& authenticators() const { return all_of_; }

  /// `not_mine` when no credential of any part was presented. Errors: those of the parts; `credential.missing` when some parts are there
  /// and others are not.
  net::Task<Verdict> authenticate(const Evidence& evidence, Here& here, net::Deadline deadline) const;
  /// `evidence` in place of those parts of `present` whose mechanism it is for. `not_mine`: of none.
  /// Errors: those of the parts; `credential.other_subject`.
  net::Task<Verdict> renew(const Identity& present, const Evidence& evidence, Here& here, net::Deadline deadline) const;
  net::Task<std::vector<Verdict>> recheck(std::vector<Identity> present, Here& here, net::Deadline deadline) const;

 private:
  Identity join(std::vector<Identity> parts) const;

  std::vector<std::shared_ptr<const Authenticator>> all_of_;
  std::string name_;
};

/// The ways to authenticate on a route, in its order, and what whoever did must be like.
/// Threads: any; immutable.
class Chain {
 public:
  /// Each by itself.
  explicit Chain(std::vector<std::shared_ptr<const Authenticator>> authenticators);
  Chain(std::vector<Step> steps, Requirements requirements)
      : steps_(std::move(steps)), requirements_(std::move(requirements)) {}

  /// The first verdict that is not `not_mine` decides. Errors: that verdict's; `credential.missing` when there is none; those of
  /// Requirements::check().
  net::Task<Result<Identity>> authenticate(const Evidence& evidence, Here& here, net::Deadline deadline) const;

  /// Judges what came in band by the mechanism that proved `present`: same subject, same issuer, or refused.
  /// Errors: the mechanism's; `credential.other_subject`; those of Requirements::check().
  net::Task<Result<Identity>> renew(const Identity& present, const Evidence& evidence, Here& here,
                                    net::Deadline deadline) const;

  /// Whether `present`, all of the step called `step`, still hold; in their order.
  /// Errors: those of Authenticator::recheck() and Requirements::check(); `credential.invalid` when the route has no such step any more;
  ///         `credential.other_subject`.
  net::Task<std::vector<Result<Identity>>> recheck(std::string step, std::vector<Identity> present, Here& here,
                                                   net::Deadline deadline) const;

  /// Authenticator::claimant() of the first that says something, with its name before it.
  std::string claimant(const Evidence& evidence) const;

  const std::vector<Step>& steps() const { return steps_; }
  http::Strip strip() const;

 private:
  std::vector<Step> steps_;
  Requirements requirements_;
};

}  // namespace sallyport::auth
