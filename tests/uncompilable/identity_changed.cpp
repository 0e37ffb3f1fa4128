// An Identity stays what was proved.
// wrong: const
#include "sallyport/auth/identity.h"

using namespace sallyport;

std::string promote(auth::Identity& identity) {
#ifdef WRONG
  identity->roles.clear();
#endif
  return identity->subject;
}
