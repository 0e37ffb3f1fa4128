#include "sallyport/gateway/proxies.h"

#include "sallyport/http/forwarded.h"

namespace sallyport::gateway {
namespace {

Result<net::Endpoint> client_behind(const net::Endpoint& proxy, const Snapshot& snapshot,
                                    const http::Request& request) {
  const auto by = snapshot.settings.trusted_proxies->header == ForwardedHeader::forwarded
                      ? http::ForwardedBy::forwarded
                      : http::ForwardedBy::x_forwarded_for;
  TRY(const auto nodes, http::forwarded_for(request.headers(), by));
  net::Endpoint client = proxy;
  for (const std::string& node : nodes) {
    const std::string text = http::address_of_node(node);
    // Whoever is not told: the proxy that knows them stands for them.
    if (text.empty()) break;
    auto endpoint = net::Endpoint::parse_ip(text, 0);
    if (!endpoint.ok()) return Error{Reason::http_malformed, client.ip() + " forwards for what is no address"};
    client = std::move(*endpoint);
    if (!snapshot.trusted_proxies.contains(client)) break;
  }
  return client;
}

}  // namespace

Result<void> take_forwarded(Arrival& arrival, const http::Request& request) {
  const Snapshot& snapshot = *arrival.snapshot;
  if (!snapshot.trusted_proxies.contains(arrival.peer.address)) return {};
  TRY(net::Endpoint client, client_behind(arrival.peer.address, snapshot, request));
  TRY_OK(enter_as(arrival, std::move(client)));
  // What the connection proved is the proxy's own.
  arrival.peer.certificate.reset();
  const auto& authorities = snapshot.forwarded_authorities;
  if (!authorities) return {};
  const auto field = snapshot.settings.trusted_proxies->certificate->header == CertificateHeader::xfcc
                         ? http::CertificateField::xfcc
                         : http::CertificateField::client_cert;
  TRY(auto chain, http::forwarded_certificates(request.headers(), field));
  if (chain.empty()) return {};
  TRY(arrival.peer.certificate, authorities->verify(std::move(chain), arrival.shard.loop().wall()));
  return {};
}

}  // namespace sallyport::gateway
