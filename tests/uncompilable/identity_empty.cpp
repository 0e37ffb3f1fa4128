// There is no identity of nobody.
// wrong: no matching constructor|could not convert|private|deleted
#include "sallyport/auth/identity.h"

using namespace sallyport;

struct Slot {
#ifdef WRONG
  auth::Identity identity;
#else
  std::optional<auth::Identity> identity;
#endif
};

Slot make() {
  Slot slot{};
  return slot;
}
