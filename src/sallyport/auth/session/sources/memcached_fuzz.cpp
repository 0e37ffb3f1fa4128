#include "sallyport/auth/session/sources/memcached.h"
#include "sallyport/base/fuzzing.h"

// Any bytes are one answer, part of one, or refused; an answer is the same without what follows it, and no prefix of it is complete.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace sallyport;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const auto parsed = auth::parse_meta_answer(bytes);
  if (!parsed.ok() || !*parsed) return 0;
  const std::size_t taken = (*parsed)->size;
  fuzzing::must(taken > 0 && taken <= size);
  const auto again = auth::parse_meta_answer(bytes.substr(0, taken));
  fuzzing::must(again.ok() && *again && (*again)->data == (*parsed)->data);
  const auto cut = auth::parse_meta_answer(bytes.substr(0, taken - 1));
  fuzzing::must(cut.ok() && !*cut);
  return 0;
}
