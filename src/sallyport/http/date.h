#pragma once

#include <string>

#include "sallyport/base/clock.h"

namespace sallyport::http {

/// `Sun, 06 Nov 1994 08:49:37 GMT`: IMF-fixdate, the form of Date that is written (RFC 9110 §5.6.7).
std::string http_date(WallTime time);

}  // namespace sallyport::http
