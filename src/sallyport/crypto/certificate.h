#pragma once

#include <string>
#include <vector>

#include "sallyport/base/clock.h"
#include "sallyport/base/result.h"
#include "sallyport/crypto/digest.h"

namespace sallyport::crypto {

/// What an X.509 certificate says, as far as anybody here asks. A value. No text in it holds a control character.
/// Trust: parse_certificate() proves nothing; what a ClientCertificate shows was verified.
struct Certificate {
  std::string subject;  ///< distinguished name as RFC 4514 writes it: `CN=device-7,O=Example`
  std::string issuer;   ///< likewise
  std::string serial;   ///< hexadecimal digits in lower case, as RFC 5280 §4.1.2.2 counts: without leading zeros
  std::vector<std::string> common_names;
  std::vector<std::string> organizations;
  std::vector<std::string> units;
  std::vector<std::string> uris;       ///< of the subject alternative name, as are the next three
  std::vector<std::string> dns_names;  ///< lower case
  std::vector<std::string> emails;
  std::vector<std::string> addresses;  ///< IP addresses as inet_ntop writes them
  WallTime not_before{};
  WallTime not_after{};
  Sha256 thumbprint{};  ///< of the whole certificate: `x5t#S256` of RFC 8705 §3.1
  Sha256 key_pin{};     ///< of its SubjectPublicKeyInfo: the pin of RFC 7469 §2.4
};

/// Reads one certificate in DER.
/// Trust:  `der` is hostile; nothing in it is believed, no signature is looked at.
/// Errors: `credential.invalid` for what is no certificate or more than one, for a time that does not exist, and for a name with a
///         control character, which some reader might take for its end.
/// Spec:   RFC 5280 §4; names of other types than those above are left out.
Result<Certificate> parse_certificate(Bytes der);

}  // namespace sallyport::crypto
