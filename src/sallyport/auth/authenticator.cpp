#include "sallyport/auth/authenticator.h"

namespace sallyport::auth {

Verdict Verdict::accept(std::shared_ptr<const Proven> proven) {
  SALLYPORT_CHECK(proven && !proven->subject.empty());
  SALLYPORT_CHECK(!proven->mechanism.empty());
  SALLYPORT_CHECK(proven->expires_at != WallTime{});
  return Verdict(Identity(std::move(proven)));
}

Result<Identity> Verdict::take() && {
  SALLYPORT_CHECK(!is_not_mine());
  if (error()) return std::move(std::get<Error>(state_));
  return std::move(std::get<Identity>(state_));
}

net::Task<std::vector<Verdict>> Authenticator::recheck(std::vector<Identity> present, Here&, net::Deadline) const {
  std::vector<Verdict> verdicts;
  for (Identity& one : present) verdicts.push_back(Verdict::accept(std::move(one)));
  co_return verdicts;
}

std::string Authenticator::claimant(const Evidence&) const { return {}; }

std::unique_ptr<Watch> Authenticator::watch(net::Loop&, Changed) const { return nullptr; }

}  // namespace sallyport::auth
