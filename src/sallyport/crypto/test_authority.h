#pragma once

#include <doctest/doctest.h>
#include <openssl/pem.h>

#include <cstdint>
#include <ctime>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "sallyport/crypto/x509.h"

/// For tests; includes OpenSSL, which no header of the library does.
namespace sallyport::crypto::testing {

/// What a certificate is to say. Times are seconds from the test's now.
struct CertificateSpec {
  std::string common_name = "device-1";
  std::string organization = "Example";
  std::string unit;
  std::string names;  ///< as OpenSSL takes them: `DNS:a.test,URI:spiffe://test/a`
  std::string extended_usage = "clientAuth";
  std::string usage = "critical,digitalSignature";
  std::string constraints;  ///< of names, for an authority: `permitted;DNS:.good.test`
  bool is_authority = false;
  std::int64_t from = -3600;
  std::int64_t until = 24 * 3600;
  unsigned rsa_bits = 0;  ///< 0: P-256
  const char* digest = "SHA256";
};

struct IssuedCertificate {
  std::string der;
  std::string pem;
  std::string key_pem;
};

/// An authority, its own or below another.
class TestAuthority {
 public:
  explicit TestAuthority(std::int64_t now = std::time(nullptr), CertificateSpec spec = root_spec("Test Clients"))
      : now_(now) {
    key_ = make_key(spec);
    certificate_ = make(spec, *key_, nullptr);
  }
  TestAuthority(TestAuthority& above, CertificateSpec spec) : now_(above.now_) {
    key_ = make_key(spec);
    certificate_ = make(spec, *key_, &above);
  }

  static CertificateSpec root_spec(std::string name) {
    CertificateSpec spec;
    spec.common_name = std::move(name);
    spec.is_authority = true;
    spec.extended_usage = "";
    spec.usage = "critical,keyCertSign,cRLSign";
    spec.until = 30L * 24 * 3600;
    return spec;
  }

  IssuedCertificate issue(const CertificateSpec& spec = {}) {
    const OwnedKey key = make_key(spec);
    const OwnedX509 leaf = make(spec, *key, this);
    return {der_of(*leaf), pem_of(*leaf), pem_of(*key)};
  }
  /// A certificate that vouches for itself.
  static IssuedCertificate self_signed(const CertificateSpec& spec, std::int64_t now = std::time(nullptr)) {
    TestAuthority alone(now, spec);
    return {der_of(*alone.certificate_), pem_of(*alone.certificate_), pem_of(*alone.key_)};
  }
  std::string der() const { return der_of(*certificate_); }
  std::string pem() const { return pem_of(*certificate_); }

  /// A revocation list of this authority in PEM.
  std::string revoke(const std::vector<std::string>& certificates, std::int64_t from = -60,
                     std::int64_t until = 24 * 3600) {
    const OwnedCrl list(X509_CRL_new());
    X509_CRL_set_version(list.get(), 1);
    X509_CRL_set_issuer_name(list.get(), X509_get_subject_name(certificate_.get()));
    const Owned<ASN1_TIME, ASN1_TIME_free> at(ASN1_TIME_set(nullptr, now_ + from));
    const Owned<ASN1_TIME, ASN1_TIME_free> next(ASN1_TIME_set(nullptr, now_ + until));
    X509_CRL_set1_lastUpdate(list.get(), at.get());
    X509_CRL_set1_nextUpdate(list.get(), next.get());
    for (const std::string& der : certificates) {
      const OwnedX509 certificate = parse_x509(bytes_of(der));
      REQUIRE(certificate);
      Owned<X509_REVOKED, X509_REVOKED_free> entry(X509_REVOKED_new());
      X509_REVOKED_set_serialNumber(entry.get(), X509_get_serialNumber(certificate.get()));
      X509_REVOKED_set_revocationDate(entry.get(), at.get());
      REQUIRE(X509_CRL_add0_revoked(list.get(), entry.release()) == 1);
    }
    X509_CRL_sort(list.get());
    REQUIRE(X509_CRL_sign(list.get(), key_.get(), EVP_sha256()) > 0);
    const OwnedBio bio(BIO_new(BIO_s_mem()));
    REQUIRE(PEM_write_bio_X509_CRL(bio.get(), list.get()) == 1);
    return text_of_bio(*bio);
  }

 private:
  static OwnedKey make_key(const CertificateSpec& spec) {
    return OwnedKey(spec.rsa_bits != 0 ? EVP_RSA_gen(spec.rsa_bits) : EVP_EC_gen("P-256"));
  }
  static std::string text_of_bio(BIO& bio) {
    char* data = nullptr;
    const long size = BIO_get_mem_data(&bio, &data);
    return std::string(data, static_cast<std::size_t>(size));
  }
  static std::string pem_of(X509& certificate) {
    const OwnedBio bio(BIO_new(BIO_s_mem()));
    REQUIRE(PEM_write_bio_X509(bio.get(), &certificate) == 1);
    return text_of_bio(*bio);
  }
  static std::string pem_of(EVP_PKEY& key) {
    const OwnedBio bio(BIO_new(BIO_s_mem()));
    REQUIRE(PEM_write_bio_PrivateKey(bio.get(), &key, nullptr, nullptr, 0, nullptr, nullptr) == 1);
    return text_of_bio(*bio);
  }

  OwnedX509 make(const CertificateSpec& spec, EVP_PKEY& key, TestAuthority* above) {
    static std::int64_t serial = 0x1000;
    OwnedX509 made(X509_new());
    X509* certificate = made.get();
    X509* issuer = above ? above->certificate_.get() : certificate;
    X509_set_version(certificate, 2);
    ASN1_INTEGER_set_int64(X509_get_serialNumber(certificate), ++serial);
    const Owned<ASN1_TIME, ASN1_TIME_free> from(ASN1_TIME_set(nullptr, now_ + spec.from));
    const Owned<ASN1_TIME, ASN1_TIME_free> until(ASN1_TIME_set(nullptr, now_ + spec.until));
    X509_set1_notBefore(certificate, from.get());
    X509_set1_notAfter(certificate, until.get());
    X509_set_pubkey(certificate, &key);
    X509_NAME* subject = X509_get_subject_name(certificate);
    const auto name = [&](const char* kind, const std::string& value) {
      if (value.empty()) return;
      X509_NAME_add_entry_by_txt(subject, kind, MBSTRING_UTF8, reinterpret_cast<const unsigned char*>(value.data()),
                                 static_cast<int>(value.size()), -1, 0);
    };
    name("O", spec.organization);
    name("OU", spec.unit);
    name("CN", spec.common_name);
    X509_set_issuer_name(certificate, X509_get_subject_name(issuer));
    X509V3_CTX context;
    X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
    const auto extend = [&](int kind, const std::string& value) {
      if (value.empty()) return;
      X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, kind, value.c_str());
      REQUIRE(extension);
      X509_add_ext(certificate, extension, -1);
      X509_EXTENSION_free(extension);
    };
    extend(NID_basic_constraints, spec.is_authority ? "critical,CA:TRUE" : "critical,CA:FALSE");
    extend(NID_key_usage, spec.usage);
    extend(NID_ext_key_usage, spec.extended_usage);
    extend(NID_subject_alt_name, spec.names);
    extend(NID_name_constraints, spec.constraints);
    REQUIRE(X509_sign(certificate, above ? above->key_.get() : &key, EVP_get_digestbyname(spec.digest)) > 0);
    return made;
  }

  std::int64_t now_;
  OwnedKey key_;
  OwnedX509 certificate_;
};

}  // namespace sallyport::crypto::testing
