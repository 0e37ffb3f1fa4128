#include "sallyport/net/record_buffers.h"

#include <malloc.h>
#include <openssl/crypto.h>

#include <cstddef>
#include <cstdlib>

namespace sallyport::net {
namespace {

// A record of the largest size with what OpenSSL adds to it, on either side; all such buffers are made equal.
constexpr std::size_t smallest = 16 * 1024;
constexpr std::size_t largest = 17 * 1024;
// One connection at a time reads and writes on a thread; a few more, for when one of them waits with a partial record.
constexpr std::size_t most_kept = 8;

// Of plain data, so that it can still be asked when OpenSSL frees its own things at the end of a thread.
struct Kept {
  void* buffers[most_kept];
  std::size_t count;
  bool closed;
};
thread_local Kept kept;

struct Closer {
  ~Closer() {
    kept.closed = true;
    while (kept.count > 0) std::free(kept.buffers[--kept.count]);
  }
};

void keep(void* buffer) {
  static thread_local Closer closer;
  (void)closer;
  kept.buffers[kept.count++] = buffer;
}

void* allocate(std::size_t size, const char*, int) {
  if (size <= smallest || size > largest) return std::malloc(size);
  if (kept.count > 0) return kept.buffers[--kept.count];
  return std::malloc(largest);
}

void release(void* block, const char*, int) {
  if (block && kept.count < most_kept && !kept.closed) {
    // Whatever is kept must be able to stand in for a buffer of the largest size, and hoard no more than that.
    const std::size_t size = ::malloc_usable_size(block);
    if (size >= largest && size < largest + 16) {
      return keep(block);
    }
  }
  std::free(block);
}

void* reallocate(void* block, std::size_t size, const char*, int) { return std::realloc(block, size); }

}  // namespace

void keep_record_buffers() { CRYPTO_set_mem_functions(allocate, reallocate, release); }

}  // namespace sallyport::net
