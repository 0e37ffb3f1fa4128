// What a backend answers first: only the one right 101 passes, however its bytes were cut.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "sallyport/http/response.h"

using namespace sallyport;

namespace {

struct Outcome {
  int reason = -1;  // -1: none, the answer is right; -2: incomplete
  http::Switching value;
};

Outcome read(std::string_view text, std::size_t step) {
  static const std::vector<std::string> subprotocols = {"chat", "v2"};
  static const std::vector<http::DeflateParameters> deflate = {
      http::offer_deflate({.takeover = http::DeflatePolicy::Takeover::allowed, .window_bits = 12})};
  http::HeadProgress progress;
  for (std::size_t size = std::min(step, text.size());; size = std::min(size + step, text.size())) {
    auto out = http::parse_switching(bytes_of(text.substr(0, size)), progress,
                                     "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", {subprotocols, deflate});
    if (!out.ok()) return {static_cast<int>(out.error().reason), {}};
    if (out->has_value()) return {-1, **out};
    if (size == text.size()) return {-2, {}};
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const Outcome whole = read(text, size + 1);
  const Outcome split = read(text, 1);
  SALLYPORT_CHECK(whole.reason == split.reason);
  if (whole.reason >= 0) {
    const auto reason = static_cast<Reason>(whole.reason);
    SALLYPORT_CHECK(reason == Reason::upstream_refused || reason == Reason::upstream_protocol);
  }
  if (whole.reason != -1) return 0;
  SALLYPORT_CHECK(whole.value.consumed == split.value.consumed && whole.value.consumed <= size);
  SALLYPORT_CHECK(text.substr(0, 12) == "HTTP/1.1 101");
  SALLYPORT_CHECK(!whole.value.subprotocol || *whole.value.subprotocol == "chat" || *whole.value.subprotocol == "v2");
  SALLYPORT_CHECK(!whole.value.deflate || whole.value.deflate->server_max_window_bits.value_or(15) <= 12);
  return 0;
}
