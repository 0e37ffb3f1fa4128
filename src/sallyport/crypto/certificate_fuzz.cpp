#include <algorithm>

#include "sallyport/crypto/certificate.h"

// Any bytes: a reason, or facts in which nothing could be taken for an end.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace sallyport;
  const auto read = crypto::parse_certificate({data, size});
  if (!read.ok()) {
    SALLYPORT_CHECK(read.error().reason == Reason::credential_invalid);
    return 0;
  }
  const auto sound = [](const std::string& text) {
    return std::none_of(text.begin(), text.end(),
                        [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
  };
  SALLYPORT_CHECK(sound(read->subject) && sound(read->issuer) && sound(read->serial));
  for (const auto* names : {&read->common_names, &read->organizations, &read->units, &read->uris, &read->dns_names,
                            &read->emails, &read->addresses})
    SALLYPORT_CHECK(std::all_of(names->begin(), names->end(), sound));
  return 0;
}
