// A structured field: what is read is written as one text, which reads as the same value again.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "sallyport/http/structured.h"

using namespace sallyport;
using namespace sallyport::http::structured;

namespace {

template <class Value>
void check(Result<Value> (*parse)(std::string_view, Duplicates), std::string_view text) {
  const auto strict = parse(text, Duplicates::refused);
  const auto value = parse(text, Duplicates::last_wins);
  SALLYPORT_CHECK(!strict.ok() || (value.ok() && *strict == *value));
  if (!value.ok()) return;
  const std::string written = serialize(*value);
  const auto again = parse(written, Duplicates::refused);
  SALLYPORT_CHECK(again.ok() && *again == *value);
  SALLYPORT_CHECK(serialize(*again) == written);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  check(parse_item, text);
  check(parse_list, text);
  check(parse_dictionary, text);
  return 0;
}
