// Does every offer and every answer that is taken survive being written and read again, and does an answer of ours always fit the
// offer it answers?

#include <cstdlib>
#include <string_view>

#include "sallyport/http/deflate.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace sallyport;
  using namespace sallyport::http;
  if (size < 1) return 0;
  const DeflatePolicy policy{(data[0] & 1) != 0 ? DeflatePolicy::Takeover::allowed : DeflatePolicy::Takeover::refused,
                             static_cast<std::uint8_t>(9 + (data[0] >> 1) % 7)};
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  const auto lines = [](std::string_view line) { return Headers{{"Sec-WebSocket-Extensions", line}}; };
  const auto offers = parse_deflate_offers(lines(text));
  if (!offers.ok()) {
    SALLYPORT_CHECK(offers.error().reason == Reason::http_malformed);
    return 0;
  }
  if (!offers->empty()) SALLYPORT_CHECK(*parse_deflate_offers(lines(offer_text(*offers))) == *offers);
  if (const auto answer = answer_deflate(*offers, policy)) {
    const auto read = parse_deflate_answer(lines(answer_text(*answer)), *offers);
    SALLYPORT_CHECK(read.ok() && *read == answer);
    SALLYPORT_CHECK(policy.takeover == DeflatePolicy::Takeover::allowed ||
                    (answer->client_no_context_takeover && answer->server_no_context_takeover));
    SALLYPORT_CHECK(answer->server_max_window_bits.value_or(15) <= policy.window_bits);
    SALLYPORT_CHECK(answer->client_no_context_takeover ||
                    answer->client_max_window_bits.value_or(15) <= policy.window_bits);
  }
  const std::vector<DeflateParameters> ours = {offer_deflate(policy)};
  const auto answered = parse_deflate_answer(lines(text), ours);
  if (answered.ok() && *answered)
    SALLYPORT_CHECK(*parse_deflate_answer(lines(answer_text(**answered)), ours) == *answered);
  return 0;
}
