#include "sallyport/crypto/certificate.h"

#include <arpa/inet.h>

#include <algorithm>
#include <ctime>
#include <optional>

#include "sallyport/base/encoding.h"
#include "sallyport/crypto/x509.h"

namespace sallyport::crypto {
namespace {

// C0, DEL and, in UTF-8, C1.
bool has_control(std::string_view text) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    if (byte < 0x20 || byte == 0x7f) return true;
    if (byte == 0xc2 && i + 1 < text.size() && static_cast<unsigned char>(text[i + 1]) < 0xa0) return true;
  }
  return false;
}

Error unsound(std::string_view what) {
  return {Reason::credential_invalid, "certificate: " + std::string(what) + " holds a control character"};
}

Result<std::string> text_of_name(const X509_NAME* name) {
  const OwnedBio bio(BIO_new(BIO_s_mem()));
  SALLYPORT_CHECK(bio != nullptr);
  X509_NAME_print_ex(bio.get(), name, 0, XN_FLAG_RFC2253 & ~static_cast<unsigned long>(ASN1_STRFLGS_ESC_MSB));
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &data);
  std::string text(data, static_cast<std::size_t>(std::max(size, 0L)));
  if (has_control(text)) return unsound("a distinguished name");
  return text;
}

Result<std::vector<std::string>> attributes_of(const X509_NAME* name, int kind) {
  std::vector<std::string> values;
  for (int at = X509_NAME_get_index_by_NID(name, kind, -1); at >= 0; at = X509_NAME_get_index_by_NID(name, kind, at)) {
    unsigned char* text = nullptr;
    const int size = ASN1_STRING_to_UTF8(&text, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at)));
    if (size < 0) return Error{Reason::credential_invalid, "certificate: an attribute of its subject is no text"};
    const Owned<unsigned char, free_text> owned(text);
    std::string value(reinterpret_cast<const char*>(text), static_cast<std::size_t>(size));
    if (has_control(value)) return unsound("an attribute of its subject");
    values.push_back(std::move(value));
  }
  return values;
}

std::string lowered(std::string text) {
  for (char& c : text) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + ('a' - 'A'));
  }
  return text;
}

Result<void> add_names(X509& certificate, Certificate& out) {
  int critical = 0;
  const Owned<GENERAL_NAMES, free_names> names(
      static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(&certificate, NID_subject_alt_name, &critical, nullptr)));
  if (!names) {
    // -1: there is none. Everything else cannot be read, or is there twice.
    if (critical == -1) return {};
    return Error{Reason::credential_invalid, "certificate: its alternative names cannot be read"};
  }
  for (int i = 0; i < sk_GENERAL_NAME_num(names.get()); ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(names.get(), i);
    int kind = 0;
    const auto* value = static_cast<const ASN1_STRING*>(GENERAL_NAME_get0_value(name, &kind));
    if (kind != GEN_URI && kind != GEN_DNS && kind != GEN_EMAIL && kind != GEN_IPADD) continue;
    std::string text(reinterpret_cast<const char*>(ASN1_STRING_get0_data(value)),
                     static_cast<std::size_t>(ASN1_STRING_length(value)));
    if (kind == GEN_IPADD) {
      char printed[INET6_ADDRSTRLEN] = "";
      if (text.size() != 4 && text.size() != 16)
        return Error{Reason::credential_invalid, "certificate: an address of neither 4 nor 16 bytes"};
      ::inet_ntop(text.size() == 4 ? AF_INET : AF_INET6, text.data(), printed, sizeof printed);
      out.addresses.emplace_back(printed);
      continue;
    }
    // An IA5String by its type, which nobody has checked.
    const bool ascii = std::ranges::all_of(text, [](char c) { return static_cast<unsigned char>(c) < 0x80; });
    if (!ascii || has_control(text)) return unsound("an alternative name");
    if (kind == GEN_URI) out.uris.push_back(std::move(text));
    if (kind == GEN_DNS) out.dns_names.push_back(lowered(std::move(text)));
    if (kind == GEN_EMAIL) out.emails.push_back(std::move(text));
  }
  return {};
}

std::string serial_of(X509& certificate) {
  const OwnedNumber number(ASN1_INTEGER_to_BN(X509_get0_serialNumber(&certificate), nullptr));
  if (!number) return "";
  std::string bytes(static_cast<std::size_t>(BN_num_bytes(number.get())), '\0');
  BN_bn2bin(number.get(), reinterpret_cast<unsigned char*>(bytes.data()));
  std::string digits = hex_encode(bytes_of(bytes));
  if (digits.starts_with('0')) digits.erase(0, 1);
  if (digits.empty()) digits = "0";
  return BN_is_negative(number.get()) ? "-" + digits : digits;
}

}  // namespace

OwnedX509 parse_x509(Bytes der) {
  const ErrorQueueGuard guard;
  const unsigned char* at = der.data();
  OwnedX509 certificate(d2i_X509(nullptr, &at, static_cast<long>(der.size())));
  if (certificate && at != der.data() + der.size()) certificate.reset();
  return certificate;
}

std::string der_of(const X509& certificate) {
  unsigned char* bytes = nullptr;
  const int size = i2d_X509(&certificate, &bytes);
  SALLYPORT_CHECK(size > 0);
  const Owned<unsigned char, free_text> owned(bytes);
  return std::string(reinterpret_cast<const char*>(bytes), static_cast<std::size_t>(size));
}

Result<WallTime> wall_time_of(const ASN1_TIME* time) {
  std::tm parts{};
  if (!time || ASN1_TIME_to_tm(time, &parts) != 1) return Error{Reason::config_invalid, "a time that does not exist"};
  return from_unix_seconds(::timegm(&parts));
}

Result<Certificate> certificate_of(X509& certificate) {
  const ErrorQueueGuard guard;
  Certificate out;
  const X509_NAME* subject = X509_get_subject_name(&certificate);
  TRY(out.subject, text_of_name(subject));
  TRY(out.issuer, text_of_name(X509_get_issuer_name(&certificate)));
  out.serial = serial_of(certificate);
  TRY(out.common_names, attributes_of(subject, NID_commonName));
  TRY(out.organizations, attributes_of(subject, NID_organizationName));
  TRY(out.units, attributes_of(subject, NID_organizationalUnitName));
  TRY_OK(add_names(certificate, out));
  const auto from = wall_time_of(X509_get0_notBefore(&certificate));
  const auto until = wall_time_of(X509_get0_notAfter(&certificate));
  if (!from || !until) return Error{Reason::credential_invalid, "certificate: a time that does not exist"};
  out.not_before = *from;
  out.not_after = *until;
  out.thumbprint = sha256(bytes_of(der_of(certificate)));
  unsigned char* key = nullptr;
  const int size = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(&certificate), &key);
  if (size <= 0) return Error{Reason::credential_invalid, "certificate: no public key"};
  const Owned<unsigned char, free_text> owned(key);
  out.key_pin = sha256({key, static_cast<std::size_t>(size)});
  return out;
}

Result<Certificate> parse_certificate(Bytes der) {
  const OwnedX509 certificate = parse_x509(der);
  if (!certificate) return Error{Reason::credential_invalid, "certificate: not one certificate in DER"};
  return certificate_of(*certificate);
}

}  // namespace sallyport::crypto
