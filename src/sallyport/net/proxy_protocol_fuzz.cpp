#include <algorithm>

#include "sallyport/net/proxy_protocol.h"

// Any bytes: the same verdict however they were split, never a byte taken that a shorter start had as complete, and an address that can
// be written down.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace sallyport;
  const Bytes all(data, std::min<std::size_t>(size, 2 * net::max_proxy_header));
  const auto whole = net::parse_proxy_header(all);
  for (std::size_t count = 0; count <= all.size(); ++count) {
    const auto part = net::parse_proxy_header(all.first(count));
    if (!part.ok()) {
      SALLYPORT_CHECK(!whole.ok());
      break;
    }
    if (!*part) continue;
    SALLYPORT_CHECK(whole.ok() && *whole && (*whole)->size == (*part)->size && (*part)->size == count);
    SALLYPORT_CHECK((*part)->source.has_value() == (*whole)->source.has_value());
    break;
  }
  if (whole.ok() && *whole) {
    SALLYPORT_CHECK((*whole)->size <= all.size() && (*whole)->size <= net::max_proxy_header);
    const auto& source = (*whole)->source;
    SALLYPORT_CHECK(!source || net::Endpoint::parse_ip(source->ip(), source->port()).ok());
  }
  return 0;
}
