#pragma once

#include <doctest/doctest.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>

#include "sallyport/net/tls.h"

/// For tests; includes OpenSSL, which no header of the library does.
namespace sallyport::net::testing {

/// An authority and its certificates, made for one test, as PEM files in a folder that goes with this object. Keys are
/// P-256.
class TestCertificates {
 public:
  explicit TestCertificates(const std::string& name = "Test Authority") {
    std::string folder = (std::filesystem::temp_directory_path() / "sallyport-tls-XXXXXX").string();
    REQUIRE(::mkdtemp(folder.data()));
    folder_ = folder;
    key_.reset(EVP_EC_gen("P-256"));
    certificate_ = make(name, "", *key_, 24 * 3600);
    authority_file_ = write_certificate("authority.pem", *certificate_);
  }
  ~TestCertificates() { std::filesystem::remove_all(folder_); }
  TestCertificates(const TestCertificates&) = delete;
  TestCertificates& operator=(const TestCertificates&) = delete;

  /// A certificate for `names`, written as OpenSSL takes them: `DNS:a.test,IP:127.0.0.1`; good for `seconds` from now.
  CertificateFiles issue(const std::string& names, long seconds = 24 * 3600) {
    const std::string base = "leaf-" + std::to_string(++count_);
    const Key key(EVP_EC_gen("P-256"));
    const Certificate leaf = make(base, names, *key, seconds);
    const std::string key_file = path(base + ".key");
    FILE* file = std::fopen(key_file.c_str(), "w");
    REQUIRE(file);
    REQUIRE(PEM_write_PrivateKey(file, key.get(), nullptr, nullptr, 0, nullptr, nullptr) == 1);
    std::fclose(file);
    return {write_certificate(base + ".pem", *leaf), key_file};
  }
  /// The authority's own certificate.
  const std::string& authority_file() const { return authority_file_; }
  /// A file of this name in the folder.
  std::string path(const std::string& name) const { return (folder_ / name).string(); }
  std::string write(const std::string& name, const std::string& text) const {
    std::ofstream(path(name)) << text;
    return path(name);
  }

 private:
  struct Free {
    void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
    void operator()(X509* certificate) const { X509_free(certificate); }
  };
  using Key = std::unique_ptr<EVP_PKEY, Free>;
  using Certificate = std::unique_ptr<X509, Free>;

  // Issued by the authority; without `names`, the authority itself.
  Certificate make(const std::string& common_name, const std::string& names, EVP_PKEY& key, long seconds) {
    Certificate made(X509_new());
    X509* certificate = made.get();
    const bool is_authority = names.empty();
    X509* issuer = is_authority ? certificate : certificate_.get();
    X509_set_version(certificate, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), ++serial_);
    X509_gmtime_adj(X509_getm_notBefore(certificate), -3600);
    X509_gmtime_adj(X509_getm_notAfter(certificate), seconds);
    X509_set_pubkey(certificate, &key);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN", MBSTRING_ASC,
                               reinterpret_cast<const unsigned char*>(common_name.c_str()), -1, -1, 0);
    X509_set_issuer_name(certificate, X509_get_subject_name(issuer));
    X509V3_CTX context;
    X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
    const auto extend = [&](int kind, const char* value) {
      X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, kind, value);
      REQUIRE(extension);
      X509_add_ext(certificate, extension, -1);
      X509_EXTENSION_free(extension);
    };
    extend(NID_basic_constraints, is_authority ? "critical,CA:TRUE" : "critical,CA:FALSE");
    extend(NID_key_usage, is_authority ? "critical,keyCertSign" : "critical,digitalSignature");
    if (!is_authority) {
      extend(NID_ext_key_usage, "serverAuth");
      extend(NID_subject_alt_name, names.c_str());
    }
    REQUIRE(X509_sign(certificate, key_.get(), EVP_sha256()) > 0);
    return made;
  }

  std::string write_certificate(const std::string& name, X509& certificate) {
    FILE* file = std::fopen(path(name).c_str(), "w");
    REQUIRE(file);
    REQUIRE(PEM_write_X509(file, &certificate) == 1);
    std::fclose(file);
    return path(name);
  }

  std::filesystem::path folder_;
  Key key_;
  Certificate certificate_;
  std::string authority_file_;
  int count_ = 0;
  long serial_ = 0;
};

}  // namespace sallyport::net::testing
