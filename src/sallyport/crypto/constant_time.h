#pragma once

#include "sallyport/base/bytes.h"

namespace sallyport::crypto {

/// Whether both hold the same bytes. The time depends on the lengths alone; lengths are no secret.
bool equal(Bytes left, Bytes right);

}  // namespace sallyport::crypto
