#include "sallyport/http/forwarded.h"
#include "sallyport/http/grammar.h"

// Any field values: no crash, bounded work, and what a proxy adds on the right is what is read first.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace sallyport;
  if (size < 1) return 0;
  std::string value(reinterpret_cast<const char*>(data + 1), size - 1);
  std::erase_if(value, [](char c) { return !http::is_field_char(c); });
  value = std::string(http::trimmed(value));
  static constexpr std::string_view names[] = {"x-forwarded-for", "forwarded", "client-cert", "client-cert-chain",
                                               "x-forwarded-client-cert"};
  http::Headers headers;
  headers.add(names[data[0] % std::size(names)], value);
  for (const auto field : {http::ForwardedBy::x_forwarded_for, http::ForwardedBy::forwarded}) {
    const auto nodes = http::forwarded_for(headers, field);
    if (nodes.ok()) {
      for (const std::string& node : *nodes) SALLYPORT_CHECK(http::address_of_node(node).size() <= node.size());
    }
  }
  for (const auto field : {http::CertificateField::client_cert, http::CertificateField::xfcc}) {
    const auto chain = http::forwarded_certificates(headers, field);
    SALLYPORT_CHECK(!chain.ok() || chain->size() <= 16);
  }
  // However the client began, a proxy that appends has the last word, or the request is refused.
  http::Headers appended;
  appended.add("x-forwarded-for", value.empty() ? "192.0.2.1" : value + ", 192.0.2.1");
  SALLYPORT_CHECK(http::forwarded_for(appended, http::ForwardedBy::x_forwarded_for).value().front() == "192.0.2.1");
  http::Headers forwarded;
  forwarded.add("forwarded", value.empty() ? "for=192.0.2.1" : value + ", for=192.0.2.1");
  const auto nodes = http::forwarded_for(forwarded, http::ForwardedBy::forwarded);
  SALLYPORT_CHECK(!nodes.ok() || nodes->front() == "192.0.2.1");
  return 0;
}
