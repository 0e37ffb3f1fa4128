#include "sallyport/base/fuzzing.h"
#include "sallyport/net/resp.h"

// Any bytes are one answer, part of one, or refused; whatever was read of more is read of its own bytes alone, and no prefix of them is
// complete.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace sallyport;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const auto parsed = net::parse_resp(bytes);
  if (!parsed.ok() || !*parsed) return 0;
  const std::size_t taken = (*parsed)->size;
  fuzzing::must(taken > 0 && taken <= size);
  const auto again = net::parse_resp(bytes.substr(0, taken));
  fuzzing::must(again.ok() && *again && (*again)->reply == (*parsed)->reply);
  const auto cut = net::parse_resp(bytes.substr(0, taken - 1));
  fuzzing::must(cut.ok() && !*cut);
  return 0;
}
