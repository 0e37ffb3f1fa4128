// An Error cannot be dropped by not looking.
// wrong: nodiscard|unused-result
#include "sallyport/base/result.h"

using namespace sallyport;

Result<void> check();

Result<void> guard() {
#ifdef WRONG
  check();
#else
  TRY_OK(check());
#endif
  return {};
}
