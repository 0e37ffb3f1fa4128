// A Cookie line: what was taken out stays out, whoever reads the rest by the same rules.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "sallyport/base/result.h"
#include "sallyport/http/cookie.h"

using namespace sallyport;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto half = text.find('\n');
  http::Headers headers{{"Cookie", text.substr(0, half)}};
  if (half != std::string_view::npos) headers.add("Cookie", text.substr(half + 1));
  const http::Cookies cookies(headers);
  const auto found = cookies.find("sid");
  const std::string names[] = {"sid"};
  const http::Headers rest{{"Cookie", cookies.without_cookies(names)}};
  const http::Cookies left(rest);
  SALLYPORT_CHECK(left.find("sid").ok() && !left.find("sid")->has_value());
  std::size_t taken = 0;
  for (const http::Cookie& cookie : cookies.all()) taken += cookie.name == "sid" ? 1U : 0U;
  SALLYPORT_CHECK(left.all().size() + taken == cookies.all().size());
  SALLYPORT_CHECK(taken < 2 || !found.ok());
  SALLYPORT_CHECK(!found.ok() || found->has_value() == (taken == 1));
  return 0;
}
