// Anything as a proof of possession: what is accepted names its key and its times, and nothing of it is empty.

#include "sallyport/jose/dpop.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace sallyport;
  const auto proof = jose::verify_dpop({reinterpret_cast<const char*>(data), size});
  if (!proof.ok()) {
    SALLYPORT_CHECK(proof.error().reason == Reason::credential_invalid);
    return 0;
  }
  SALLYPORT_CHECK(proof->thumbprint.size() == 43 && !proof->id.empty() && !proof->method.empty() &&
                  !proof->url.empty());
  return 0;
}
