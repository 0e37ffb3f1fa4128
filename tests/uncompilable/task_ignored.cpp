// A task that nobody awaits does nothing, so a check that is not awaited would be no check.
// wrong: nodiscard|unused-result
#include "sallyport/base/result.h"
#include "sallyport/net/task.h"

using namespace sallyport;

net::Task<Result<void>> check();

net::Task<Result<void>> guard() {
#ifdef WRONG
  check();
#else
  CO_TRY_OK(co_await check());
#endif
  co_return Result<void>();
}
