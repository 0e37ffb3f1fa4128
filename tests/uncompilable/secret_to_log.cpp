// A Secret does not go into the log.
// wrong: deleted
#include "sallyport/base/log.h"
#include "sallyport/base/secret.h"

using namespace sallyport;

void note(Log& log, WallTime now, const Secret& token) {
#ifdef WRONG
  Event(log, now, Level::info, "token.seen").text("token", token);
#else
  Event(log, now, Level::info, "token.seen").number("size", static_cast<std::int64_t>(token.size()));
#endif
}
