// A verdict has three values; it cannot be taken for two.
// wrong: convert|conversion|invalid .static_cast
#include "sallyport/auth/identity.h"

using namespace sallyport;

bool known(const auth::Verdict& verdict) {
#ifdef WRONG
  return static_cast<bool>(verdict);
#else
  return verdict.identity() != nullptr;
#endif
}
