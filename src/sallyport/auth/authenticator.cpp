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

net::Task<Result<Identity>> Chain::authenticate(const Evidence& evidence, Here& here, net::Deadline deadline) const {
  for (const auto& authenticator : authenticators_) {
    Verdict verdict = co_await authenticator->authenticate(evidence, here, deadline);
    if (!verdict.is_not_mine()) co_return std::move(verdict).take();
  }
  co_return Error{Reason::credential_missing, "no credential presented"};
}

net::Task<Result<Identity>> Chain::renew(const Identity& present, const Evidence& evidence, Here& here,
                                         net::Deadline deadline) const {
  for (const auto& authenticator : authenticators_) {
    if (authenticator->mechanism() != present->mechanism) continue;
    Verdict verdict = co_await authenticator->authenticate(evidence, here, deadline);
    if (verdict.is_not_mine()) continue;
    CO_TRY(Identity fresh, std::move(verdict).take());
    if (fresh->subject != present->subject || fresh->issuer != present->issuer) {
      co_return Error{Reason::credential_other_subject, "the new credential speaks for another subject or issuer"};
    }
    co_return fresh;
  }
  co_return Error{Reason::credential_invalid, "not a credential of the mechanism '" + present->mechanism + "'"};
}

http::Strip Chain::strip() const {
  http::Strip strip;
  for (const auto& authenticator : authenticators_) authenticator->add_to(strip);
  return strip;
}

}  // namespace sallyport::auth
