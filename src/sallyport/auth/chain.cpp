#include "sallyport/auth/chain.h"

#include <algorithm>

namespace sallyport::auth {
namespace {

std::vector<Step> each_by_itself(std::vector<std::shared_ptr<const Authenticator>> authenticators) {
  std::vector<Step> steps;
  for (auto& authenticator : authenticators) steps.push_back(Step({std::move(authenticator)}));
  return steps;
}

bool same_owner(const Identity& left, const Identity& right) {
  return left->subject == right->subject && left->issuer == right->issuer;
}

Error other_subject() {
  return {Reason::credential_other_subject, "the new credential speaks for another subject or issuer"};
}

Evidence with_proven(Evidence evidence, const Identity* proven) {
  evidence.proven = proven;
  return evidence;
}

}  // namespace

Step::Step(std::vector<std::shared_ptr<const Authenticator>> all_of) : all_of_(std::move(all_of)) {
  SALLYPORT_CHECK(!all_of_.empty());
  for (const auto& part : all_of_) name_ += (name_.empty() ? "" : "+") + std::string(part->mechanism());
}

net::Task<Verdict> Step::authenticate(const Evidence& evidence, Here& here, net::Deadline deadline) const {
  if (all_of_.size() == 1) co_return co_await all_of_.front()->authenticate(evidence, here, deadline);
  std::vector<Identity> parts;
  std::string_view missing;
  for (const auto& authenticator : all_of_) {
    const Evidence so_far = with_proven(evidence, parts.empty() ? nullptr : &parts.front());
    Verdict verdict = co_await authenticator->authenticate(so_far, here, deadline);
    if (verdict.error()) co_return verdict;
    if (verdict.is_not_mine()) {
      missing = authenticator->mechanism();
    } else {
      parts.push_back(*verdict.identity());
    }
  }
  if (parts.empty()) co_return Verdict::not_mine();
  if (!missing.empty()) {
    co_return Verdict::refuse(Error{Reason::credential_missing, "'" + std::string(missing) + "' is needed as well"});
  }
  co_return Verdict::accept(join(std::move(parts)));
}

net::Task<Verdict> Step::renew(const Identity& present, const Evidence& evidence, Here& here,
                               net::Deadline deadline) const {
  std::vector<Identity> parts = present->parts;
  const bool joined = all_of_.size() > 1;
  if (!joined) parts = {present};
  SALLYPORT_CHECK(parts.size() == all_of_.size());
  bool renewed = false;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const Evidence so_far = with_proven(evidence, i == 0 ? nullptr : &parts.front());
    Verdict verdict = co_await all_of_[i]->authenticate(so_far, here, deadline);
    if (verdict.error()) co_return verdict;
    if (verdict.is_not_mine()) continue;
    if (!same_owner(*verdict.identity(), parts[i])) co_return Verdict::refuse(other_subject());
    parts[i] = *verdict.identity();
    renewed = true;
  }
  if (!renewed) co_return Verdict::not_mine();
  co_return Verdict::accept(joined ? join(std::move(parts)) : parts.front());
}

net::Task<std::vector<Verdict>> Step::recheck(std::vector<Identity> present, Here& here, net::Deadline deadline) const {
  if (all_of_.size() == 1) co_return co_await all_of_.front()->recheck(std::move(present), here, deadline);
  std::vector<std::vector<Identity>> parts(present.size());
  std::vector<std::optional<Verdict>> refused(present.size());
  for (std::size_t i = 0; i < all_of_.size(); ++i) {
    std::vector<Identity> asked;
    for (const Identity& one : present) asked.push_back(one->parts.at(i));
    const std::vector<Verdict> verdicts = co_await all_of_[i]->recheck(std::move(asked), here, deadline);
    SALLYPORT_CHECK(verdicts.size() == present.size());
    for (std::size_t k = 0; k < verdicts.size(); ++k) {
      if (verdicts[k].identity()) {
        parts[k].push_back(*verdicts[k].identity());
      } else if (!refused[k]) {
        refused[k].emplace(verdicts[k]);
      }
    }
  }
  std::vector<Verdict> joined;
  for (std::size_t k = 0; k < present.size(); ++k) {
    joined.push_back(refused[k] ? std::move(*refused[k]) : Verdict::accept(join(std::move(parts[k]))));
  }
  co_return joined;
}

// The first speaks for all: its subject, scopes and claims are those of the identity. The others bound its life, add how it was
// authenticated, and lend their handles to revocation.
Identity Step::join(std::vector<Identity> parts) const {
  Proven whole = *parts.front();
  whole.mechanism = name_;
  whole.watch_key.clear();
  whole.grounds.reset();
  json::Object claims = whole.claims.object() ? *whole.claims.object() : json::Object();
  for (auto part = parts.begin() + 1; part != parts.end(); ++part) {
    const Proven& other = **part;
    whole.expires_at = std::min(whole.expires_at, other.expires_at);
    for (const std::string& method : other.amr) {
      if (std::ranges::find(whole.amr, method) == whole.amr.end()) whole.amr.push_back(method);
    }
    if (other.authenticated_at) {
      // As old as its oldest factor.
      whole.authenticated_at =
          whole.authenticated_at ? std::min(*whole.authenticated_at, *other.authenticated_at) : other.authenticated_at;
    }
    if (whole.acr.empty()) whole.acr = other.acr;
    json::Object facts{{"sub", other.subject}};
    if (const json::Object* of_part = other.claims.object())
      facts.insert(facts.end(), of_part->begin(), of_part->end());
    if (!json::Value(claims).find(other.mechanism)) claims.emplace_back(other.mechanism, std::move(facts));
  }
  whole.claims = std::move(claims);
  whole.parts = std::move(parts);
  const Verdict verdict = Verdict::accept(std::move(whole));
  return *verdict.identity();
}

Chain::Chain(std::vector<std::shared_ptr<const Authenticator>> authenticators)
    : steps_(each_by_itself(std::move(authenticators))) {}

net::Task<Result<Identity>> Chain::authenticate(const Evidence& evidence, Here& here, net::Deadline deadline) const {
  for (const Step& step : steps_) {
    Verdict verdict = co_await step.authenticate(evidence, here, deadline);
    if (verdict.is_not_mine()) continue;
    CO_TRY(Identity identity, std::move(verdict).take());
    if (identity->mechanism != step.name()) {
      // A ticket: somebody else has proved it, some time ago, and is asked whether it still holds.
      std::vector<Identity> earlier{identity};
      auto asking = recheck(identity->mechanism, std::move(earlier), here, deadline);
      std::vector<Result<Identity>> again = co_await asking;
      co_return std::move(again.front());
    }
    co_return requirements_.check(std::move(identity), here.loop.wall());
  }
  co_return Error{Reason::credential_missing, "no credential presented"};
}

net::Task<Result<Identity>> Chain::renew(const Identity& present, const Evidence& evidence, Here& here,
                                         net::Deadline deadline) const {
  for (const Step& step : steps_) {
    if (step.name() != present->mechanism) continue;
    Verdict verdict = co_await step.renew(present, evidence, here, deadline);
    if (verdict.is_not_mine()) continue;
    CO_TRY(Identity fresh, std::move(verdict).take());
    if (!same_owner(fresh, present)) co_return other_subject();
    co_return requirements_.check(std::move(fresh), here.loop.wall());
  }
  co_return Error{Reason::credential_invalid, "not a credential of the mechanism '" + present->mechanism + "'"};
}

net::Task<std::vector<Result<Identity>>> Chain::recheck(std::string name, std::vector<Identity> present, Here& here,
                                                        net::Deadline deadline) const {
  std::vector<Result<Identity>> results;
  const auto step = std::ranges::find(steps_, name, &Step::name);
  if (step == steps_.end()) {
    results.assign(present.size(), Error{Reason::credential_invalid, "the route takes no '" + name + "' any more"});
    co_return results;
  }
  std::vector<Identity> before = present;
  std::vector<Verdict> verdicts = co_await step->recheck(std::move(present), here, deadline);
  SALLYPORT_CHECK(verdicts.size() == before.size());
  for (std::size_t i = 0; i < verdicts.size(); ++i) {
    Result<Identity> result = std::move(verdicts[i]).take();
    if (result.ok() && !same_owner(*result, before[i])) result = other_subject();
    if (result.ok()) result = requirements_.check(std::move(*result), here.loop.wall());
    results.push_back(std::move(result));
  }
  co_return results;
}

std::string Chain::claimant(const Evidence& evidence) const {
  for (const Step& step : steps_) {
    for (const auto& authenticator : step.authenticators()) {
      const std::string claimant = authenticator->claimant(evidence);
      if (!claimant.empty()) return std::string(authenticator->mechanism()) + ' ' + claimant;
    }
  }
  return {};
}

http::Strip Chain::strip() const {
  http::Strip strip;
  for (const Step& step : steps_) {
    for (const auto& authenticator : step.authenticators()) authenticator->add_to(strip);
  }
  return strip;
}

}  // namespace sallyport::auth
