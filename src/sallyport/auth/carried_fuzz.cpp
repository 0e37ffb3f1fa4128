// Is what is taken for an identity out of the store written and read again as the same, and is it never one that could break a header?

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "sallyport/auth/carried.h"
#include "sallyport/auth/text.h"

using namespace sallyport;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto proven = auth::parse_carried(text);
  if (!proven.ok()) {
    SALLYPORT_CHECK(proven.error().reason == Reason::credential_invalid);
    return 0;
  }
  SALLYPORT_CHECK(!proven->subject.empty() && auth::is_clean(proven->subject) && auth::is_clean(proven->tenant));
  const std::string again = auth::carried_text(*proven);
  const auto same = auth::parse_carried(again);
  SALLYPORT_CHECK(same.ok() && auth::carried_text(*same) == again);
  return 0;
}
