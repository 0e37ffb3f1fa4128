// An Upgrade was parsed; a request cannot be declared one.
// wrong: private
#include "sallyport/http/upgrade.h"

using namespace sallyport;

Result<http::Upgrade> accept(http::Request request) {
#ifdef WRONG
  return http::Upgrade(std::move(request));
#else
  return http::parse_upgrade(std::move(request));
#endif
}
