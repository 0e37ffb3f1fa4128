// Whoever asks for a verdict has to look at it.
// wrong: nodiscard|unused-result
#include "sallyport/auth/identity.h"

using namespace sallyport;

auth::Verdict judge();

bool known() {
#ifdef WRONG
  judge();
  return true;
#else
  return judge().identity() != nullptr;
#endif
}
