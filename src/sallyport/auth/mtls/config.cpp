#include "sallyport/auth/mtls/config.h"

#include "sallyport/auth/mtls/names.h"

namespace sallyport::auth {
namespace {

template <class T>
std::optional<std::string> complaint_of(const Result<T>& result) {
  return result.ok() ? std::optional<std::string>() : result.error().detail;
}

}  // namespace

config::Schema<MtlsConfig> mtls_schema() {
  using namespace std::chrono_literals;
  return config::schema<MtlsConfig>(
      "auth.mtls",
      "Accepts the certificate that a client has proved to hold, in the TLS handshake of a listener with `client_ca` "
      "or of a "
      "proxy in `trusted_proxies`.",
      config::field(
          &MtlsConfig::subject, "subject",
          "Which name of the certificate becomes the subject: `uri`, `dns`, `email` and `ip` of its alternative "
          "names, `cn`, or the whole `dn`. The first of which it has any; it must be one. `KIND:PATTERN` looks only "
          "at names that fit, where one `*` stands for any characters.",
          config::items(1, 16), config::example("[\"uri:spiffe://example.com/*\"]"),
          config::checked<std::string>([](const std::string& text) { return complaint_of(parse_name_rule(text)); })),
      config::field(
          &MtlsConfig::pins, "pins",
          "Public keys, as `sha256/` and the base64 of the SHA-256 of their SubjectPublicKeyInfo. Empty: any; "
          "otherwise a certificate with another key is refused, whoever signed it.",
          config::example("[sha256/47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=]"),
          config::checked<std::string>([](const std::string& text) { return complaint_of(parse_pin(text)); })),
      config::field(
          &MtlsConfig::max_lifetime, "max_lifetime",
          "From a certificate's beginning to its end; longer ones are refused. Revocations are remembered as long.",
          config::between(1s, std::chrono::seconds(24h * 7300))));
}

}  // namespace sallyport::auth
