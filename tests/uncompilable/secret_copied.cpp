// A Secret is not copied by accident; each copy is one more to wipe.
// wrong: deleted
#include "sallyport/base/secret.h"

using namespace sallyport;

Secret twin(const Secret& secret) {
#ifdef WRONG
  return secret;
#else
  return secret.clone();
#endif
}
