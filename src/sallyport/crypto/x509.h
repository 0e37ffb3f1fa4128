#pragma once

// What the files of this folder share about X.509; included by their .cpp files only.

#include <openssl/x509.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

#include "sallyport/crypto/certificate.h"
#include "sallyport/crypto/openssl.h"

namespace sallyport::crypto {

inline void free_certificates(STACK_OF(X509) * stack) { sk_X509_pop_free(stack, X509_free); }
inline void free_infos(STACK_OF(X509_INFO) * stack) { sk_X509_INFO_pop_free(stack, X509_INFO_free); }
inline void free_names(GENERAL_NAMES* names) { GENERAL_NAMES_free(names); }
inline void free_bio(BIO* bio) { BIO_free_all(bio); }
inline void free_text(unsigned char* text) { OPENSSL_free(text); }

using OwnedX509 = Owned<X509, X509_free>;
using OwnedCrl = Owned<X509_CRL, X509_CRL_free>;
using OwnedX509Store = Owned<X509_STORE, X509_STORE_free>;
using OwnedX509Context = Owned<X509_STORE_CTX, X509_STORE_CTX_free>;
using OwnedX509s = Owned<STACK_OF(X509), free_certificates>;
using OwnedX509Infos = Owned<STACK_OF(X509_INFO), free_infos>;
using OwnedBio = Owned<BIO, free_bio>;

/// nullptr for what is no certificate or has more behind it.
OwnedX509 parse_x509(Bytes der);
std::string der_of(const X509& certificate);
Result<Certificate> certificate_of(X509& certificate);
/// Errors: `config.invalid` for a time that does not exist.
Result<WallTime> wall_time_of(const ASN1_TIME* time);

}  // namespace sallyport::crypto
