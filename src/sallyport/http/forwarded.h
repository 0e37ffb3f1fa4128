#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sallyport/base/result.h"
#include "sallyport/http/headers.h"

/// What proxies say of whom they speak for. Each adds to the right; only from there, and only as far as each is trusted, may it be read.
namespace sallyport::http {

enum class ForwardedBy : std::uint8_t {
  x_forwarded_for,  ///< a list of addresses
  forwarded,        ///< RFC 7239
};

/// The clients that the field names, the nearest first, each as it was written (without quotes).
/// Trust:  hostile, but for what the nearest proxy wrote, the first; and so on for each that turns out to be trusted.
/// Errors: `http.malformed` for a `Forwarded` that breaks its grammar; never for X-Forwarded-For, whose elements are judged one by one.
/// Spec:   RFC 7239 §4. Stricter: an element without `for`, or with two, is malformed; so is a list with an empty element.
Result<std::vector<std::string>> forwarded_for(const Headers& headers, ForwardedBy field);

/// The IP address of such a name, without brackets and port: `203.0.113.7`, `203.0.113.7:4711`, `[2001:db8::1]:80`, `2001:db8::1`. Whether
/// what comes out is an address is for the caller to see.
/// Trust: `node` is hostile. Empty: the client is `unknown` or hidden behind a word (`_gazonk`).
/// Spec:  RFC 7239 §6; looser: IPv6 without brackets, as X-Forwarded-For has it.
std::string address_of_node(std::string_view node);

/// The certificates of the client that a proxy took the TLS connection from, in DER, the client's own first; empty: none was passed on.
/// Trust:  hostile unless the sender is trusted; and then as the proxy says it: nothing is verified here.
/// Errors: `credential.invalid` for what breaks the format, comes twice, or names a client without its certificate.
enum class CertificateField : std::uint8_t {
  client_cert,  ///< Client-Cert and Client-Cert-Chain (RFC 9440)
  xfcc,         ///< X-Forwarded-Client-Cert, as Envoy writes it, with one element that has Cert or Chain
};
Result<std::vector<std::string>> forwarded_certificates(const Headers& headers, CertificateField field);

}  // namespace sallyport::http
