#pragma once

#include <array>

#include "sallyport/base/bytes.h"

namespace sallyport::crypto {

using Sha256 = std::array<Byte, 32>;
using Sha384 = std::array<Byte, 48>;
using Sha512 = std::array<Byte, 64>;

/// Threads: any, for all of these.
Sha256 sha256(Bytes data);
Sha384 sha384(Bytes data);
Sha512 sha512(Bytes data);

/// For `Sec-WebSocket-Accept` (RFC 6455 §4.2.2), which needs no collision resistance; for nothing else.
std::array<Byte, 20> sha1(Bytes data);

}  // namespace sallyport::crypto
