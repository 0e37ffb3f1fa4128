#include "sallyport/crypto/constant_time.h"

#include <openssl/crypto.h>

namespace sallyport::crypto {

bool equal(Bytes left, Bytes right) {
  return left.size() == right.size() && (left.empty() || CRYPTO_memcmp(left.data(), right.data(), left.size()) == 0);
}

}  // namespace sallyport::crypto
