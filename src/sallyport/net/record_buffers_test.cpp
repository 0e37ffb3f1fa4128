#include "sallyport/net/record_buffers.h"

#include <doctest/doctest.h>
#include <openssl/crypto.h>

#include <thread>

using namespace sallyport;

// The test program installs them before anything else of OpenSSL is used: see the initialiser.
namespace {
const bool installed = [] {
  net::keep_record_buffers();
  return true;
}();
}  // namespace

TEST_CASE("record buffers: what one connection gives back the next one gets, and other sizes go their usual way") {
  REQUIRE(installed);
  void* first = OPENSSL_malloc(16 * 1024 + 300);
  void* second = OPENSSL_malloc(17 * 1024);
  REQUIRE(first);
  REQUIRE(second);
  CHECK(first != second);
  OPENSSL_free(first);
  CHECK(OPENSSL_malloc(16 * 1024 + 100) == first);
  OPENSSL_free(first);
  OPENSSL_free(second);
  void* small = OPENSSL_malloc(100);
  void* large = OPENSSL_malloc(64 * 1024);
  CHECK(small != second);
  CHECK(large != second);
  OPENSSL_free(small);
  OPENSSL_free(large);
  void* grown = OPENSSL_realloc(OPENSSL_malloc(16 * 1024 + 1), 80 * 1024);
  CHECK(grown);
  OPENSSL_free(grown);

  // What it keeps goes with it: the leak detector watches.
  std::thread([] { OPENSSL_free(OPENSSL_malloc(17 * 1024)); }).join();
}
