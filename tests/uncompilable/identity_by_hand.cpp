// An Identity comes from a Verdict, and so from an authenticator's proof; nobody can write one down.
// wrong: private
#include "sallyport/auth/identity.h"

using namespace sallyport;

std::string subject(auth::Proven proven) {
#ifdef WRONG
  const auth::Identity identity(std::make_shared<const auth::Proven>(std::move(proven)));
#else
  const auth::Verdict verdict = auth::Verdict::accept(std::move(proven));
  const auth::Identity& identity = *verdict.identity();
#endif
  return identity->subject;
}
