#include "sallyport/net/tls.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace sallyport::net {
namespace {

// Above the longest certificate chain that OpenSSL takes; and above the longest record with what may come before it.
constexpr std::uint32_t most_for_handshake = 128 * 1024;
constexpr std::uint32_t most_without_data = 32 * 1024;

std::string openssl_error() {
  const unsigned long code = ERR_peek_last_error();
  ERR_clear_error();
  if (code == 0) return "unknown error";
  char text[256];
  ERR_error_string_n(code, text, sizeof text);
  return text;
}

// Why a call on `ssl` did not succeed. SSL_get_error takes whatever stands in the thread's queue of errors for its own, so that the
// queue would have to be cleared before every call, which is more work than all of ours on a message. Here the queue only tells a
// fatal alert from a close_notify, and this file leaves no error of TLS in it.
int trouble_of(SSL* ssl) {
  if (SSL_want_read(ssl) && BIO_should_read(SSL_get_rbio(ssl))) return SSL_ERROR_WANT_READ;
  if (SSL_want_write(ssl) && BIO_should_write(SSL_get_wbio(ssl))) return SSL_ERROR_WANT_WRITE;
  const bool told_of_end = SSL_want_nothing(ssl) && (SSL_get_shutdown(ssl) & SSL_RECEIVED_SHUTDOWN) != 0;
  return told_of_end && ERR_GET_LIB(ERR_peek_last_error()) != ERR_LIB_SSL ? SSL_ERROR_ZERO_RETURN : SSL_ERROR_SSL;
}

// A BIO on a socket that owns nothing and never raises SIGPIPE; OpenSSL's own writes with write(2), which does.
int bio_write(BIO* bio, const char* data, int length) {
  const auto& wire = *static_cast<const detail::TlsWire*>(BIO_get_data(bio));
  BIO_clear_retry_flags(bio);
  // Nobody waits for a ticket: it goes with the first answer.
  const bool more = wire.more || SSL_get_state(wire.ssl) == TLS_ST_SW_SESSION_TICKET;
  const int flags = MSG_NOSIGNAL | (more ? MSG_MORE : 0);
  const ssize_t count = ::send(wire.fd, data, static_cast<std::size_t>(length), flags);
  if (count < 0 && (errno == EAGAIN || errno == EINTR)) BIO_set_retry_write(bio);
  return static_cast<int>(count);
}

int bio_read(BIO* bio, char* data, int length) {
  auto& wire = *static_cast<detail::TlsWire*>(BIO_get_data(bio));
  BIO_clear_retry_flags(bio);
  if (wire.left == 0) return -1;
  const ssize_t count = ::recv(wire.fd, data, std::min(static_cast<std::uint32_t>(length), wire.left), 0);
  if (count > 0) wire.left -= static_cast<std::uint32_t>(count);
  if (count < 0 && (errno == EAGAIN || errno == EINTR)) BIO_set_retry_read(bio);
  if (count == 0) BIO_set_flags(bio, BIO_FLAGS_IN_EOF);
  return static_cast<int>(count);
}

long bio_control(BIO* bio, int command, long, void*) {
  if (command == BIO_CTRL_FLUSH) return 1;
  if (command == BIO_CTRL_EOF) return BIO_test_flags(bio, BIO_FLAGS_IN_EOF) != 0;
  return 0;
}

const BIO_METHOD* socket_method() {
  static const BIO_METHOD* const method = [] {
    BIO_METHOD* made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "sallyport socket");
    BIO_meth_set_write(made, bio_write);
    BIO_meth_set_read(made, bio_read);
    BIO_meth_set_ctrl(made, bio_control);
    BIO_meth_set_create(made, [](BIO* bio) {
      BIO_set_init(bio, 1);
      return 1;
    });
    return made;
  }();
  return method;
}

// The profile of both sides.
Result<SSL_CTX*> make_context(const SSL_METHOD* method) {
  SSL_CTX* context = SSL_CTX_new(method);
  if (!context) return Error{Reason::config_invalid, openssl_error()};
  SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
  SSL_CTX_set_options(context, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION | SSL_OP_CIPHER_SERVER_PREFERENCE |
                                   SSL_OP_PRIORITIZE_CHACHA | SSL_OP_NO_ENCRYPT_THEN_MAC);
  SSL_CTX_set_mode(context,
                   SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_set_read_ahead(context, 1);
  const bool profile =
      SSL_CTX_set_cipher_list(context,
                              "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"
                              "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:"
                              "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305") == 1 &&
      SSL_CTX_set_ciphersuites(context, "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256") ==
          1 &&
      SSL_CTX_set1_groups_list(context, "X25519:P-256") == 1;
  if (!profile) {
    SSL_CTX_free(context);
    return Error{Reason::config_invalid, openssl_error()};
  }
  return context;
}

// As ALPN writes them, the best first.
const std::string_view only_http1 = "\x08http/1.1";
const std::string_view http2_or_http1 = "\x02h2\x08http/1.1";

// ALPN: a client that wants another protocol on this port gets no connection (RFC 7301 §3.2), so that bytes meant for one
// protocol are never read as another's.
int choose_protocol(SSL*, const unsigned char** out, unsigned char* out_length, const unsigned char* in,
                    unsigned in_length, void* arg) {
  const std::string_view ours = *static_cast<const std::string_view*>(arg);
  unsigned char* chosen = nullptr;
  if (SSL_select_next_proto(&chosen, out_length, reinterpret_cast<const unsigned char*>(ours.data()),
                            static_cast<unsigned>(ours.size()), in, in_length) != OPENSSL_NPN_NEGOTIATED) {
    return SSL_TLSEXT_ERR_ALERT_FATAL;
  }
  *out = chosen;
  return SSL_TLSEXT_ERR_OK;
}

// What was found out about a client's certificate; kept with the connection of whoever presented one, and nobody else's.
using ClientProof = Result<std::shared_ptr<const crypto::ClientCertificate>>;

int client_proof_index() {
  static const int index = SSL_get_ex_new_index(
      0, nullptr, nullptr, nullptr,
      +[](void*, void* proof, CRYPTO_EX_DATA*, int, long, void*) { delete static_cast<ClientProof*>(proof); });
  return index;
}

const ClientProof* client_proof_of(const SSL* ssl) {
  return static_cast<const ClientProof*>(SSL_get_ex_data(ssl, client_proof_index()));
}

// What decides the alert that the client gets.
int verify_code_of(Reason reason) {
  switch (reason) {
    case Reason::credential_expired:
      return X509_V_ERR_CERT_HAS_EXPIRED;
    case Reason::credential_revoked:
      return X509_V_ERR_CERT_REVOKED;
    case Reason::keys_unavailable:
      return X509_V_ERR_UNABLE_TO_GET_CRL;
    default:
      return X509_V_ERR_CERT_UNTRUSTED;
  }
}

ClientProof prove_client(X509_STORE_CTX* context, const crypto::ClientAuthorities& authorities) {
  std::vector<std::string> chain;
  const STACK_OF(X509)* presented = X509_STORE_CTX_get0_untrusted(context);
  for (int i = 0; i < sk_X509_num(presented); ++i) {
    std::string& der = chain.emplace_back();
    const X509* certificate = sk_X509_value(presented, i);
    der.resize(static_cast<std::size_t>(std::max(i2d_X509(certificate, nullptr), 0)));
    auto* at = reinterpret_cast<unsigned char*>(der.data());
    i2d_X509(certificate, &at);
  }
  return authorities.verify(std::move(chain), SystemClock().wall());
}

// In place of OpenSSL's own: lists and authorities may have been read anew since the listener's context was made.
int verify_client(X509_STORE_CTX* context, void* authorities) {
  auto* ssl = static_cast<SSL*>(X509_STORE_CTX_get_ex_data(context, SSL_get_ex_data_X509_STORE_CTX_idx()));
  try {
    auto proof = std::make_unique<ClientProof>(
        prove_client(context, *static_cast<const crypto::ClientAuthorities*>(authorities)));
    const int code = proof->ok() ? X509_V_OK : verify_code_of(proof->error().reason);
    X509_STORE_CTX_set_error(context, code);
    if (SSL_set_ex_data(ssl, client_proof_index(), proof.get()) != 1) return 0;
    proof.release();
    return code == X509_V_OK ? 1 : 0;
  } catch (const std::exception&) {
    X509_STORE_CTX_set_error(context, X509_V_ERR_UNSPECIFIED);
    return 0;
  }
}

Result<void> ask_for_certificates(SSL_CTX* context, const ClientCertificates& clients) {
  const std::string& file = clients.authorities->trust().ca_file;
  STACK_OF(X509_NAME)* names = SSL_load_client_CA_file(file.c_str());
  if (!names) return Error{Reason::config_invalid, "authorities '" + file + "': " + openssl_error()};
  SSL_CTX_set_client_CA_list(context, names);
  const bool required = clients.demand == ClientCertificates::Demand::require;
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER | (required ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0), nullptr);
  SSL_CTX_set_cert_verify_callback(context, verify_client,
                                   const_cast<crypto::ClientAuthorities*>(clients.authorities.get()));
  SSL_CTX_set_options(context, SSL_OP_NO_TICKET);
  SSL_CTX_set_num_tickets(context, 0);
  SSL_CTX_set_security_level(context, 2);
  return {};
}

SSL* make_ssl(SSL_CTX* context, detail::TlsWire& wire) {
  SSL* ssl = SSL_new(context);
  BIO* bio = BIO_new(socket_method());
  SALLYPORT_CHECK(ssl && bio);
  BIO_set_data(bio, &wire);
  wire.ssl = ssl;
  SSL_set_bio(ssl, bio, bio);
  return ssl;
}

}  // namespace

Result<std::shared_ptr<const ServerTls>> ServerTls::load(const std::vector<CertificateFiles>& files, Alpn alpn,
                                                         ClientCertificates clients) {
  if (files.empty()) return Error{Reason::config_invalid, "no certificate"};
  std::shared_ptr<ServerTls> tls(new ServerTls());
  tls->authorities_ = clients.authorities;
  for (const CertificateFiles& file : files) {
    TRY(SSL_CTX * context, make_context(TLS_server_method()));
    tls->entries_.push_back({context, nullptr});
    // OpenSSL would ask for the password of an encrypted key at the terminal and wait, at a reload as well.
    SSL_CTX_set_default_passwd_cb(context, +[](char*, int, int, void*) { return -1; });
    if (SSL_CTX_use_certificate_chain_file(context, file.certificate.c_str()) != 1) {
      return Error{Reason::config_invalid, "certificate '" + file.certificate + "': " + openssl_error()};
    }
    if (SSL_CTX_use_PrivateKey_file(context, file.key.c_str(), SSL_FILETYPE_PEM) != 1) {
      return Error{Reason::config_invalid, "key '" + file.key + "': " + openssl_error()};
    }
    if (SSL_CTX_check_private_key(context) != 1) {
      return Error{Reason::config_invalid,
                   "key '" + file.key + "' does not belong to certificate '" + file.certificate + "'"};
    }
    tls->entries_.back().certificate = SSL_CTX_get0_certificate(context);
    // Resumption by tickets only: nothing is kept here, and one ticket is what one client needs.
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_num_tickets(context, 1);
    static constexpr unsigned char id[] = "sallyport";
    SSL_CTX_set_session_id_context(context, id, sizeof id - 1);
    if (clients.authorities) TRY_OK(ask_for_certificates(context, clients));
    const std::string_view& ours = alpn == Alpn::http1 ? only_http1 : http2_or_http1;
    SSL_CTX_set_alpn_select_cb(context, choose_protocol, const_cast<std::string_view*>(&ours));
    SSL_CTX_set_tlsext_servername_arg(context, tls.get());
    SSL_CTX_set_tlsext_servername_callback(
        context, +[](SSL* ssl, int*, void* self) {
          const char* name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
          SSL_set_SSL_CTX(ssl, static_cast<const ServerTls*>(self)->pick(name));
          return SSL_TLSEXT_ERR_OK;
        });
  }
  return std::shared_ptr<const ServerTls>(std::move(tls));
}

ServerTls::~ServerTls() {
  for (const Entry& entry : entries_) SSL_CTX_free(entry.context);
}

ssl_ctx_st* ServerTls::pick(const char* server_name) const {
  if (server_name) {
    for (const Entry& entry : entries_) {
      if (X509_check_host(static_cast<X509*>(entry.certificate), server_name, 0, 0, nullptr) == 1) return entry.context;
    }
  }
  return entries_.front().context;
}

Result<std::shared_ptr<const ClientTls>> ClientTls::load(const std::string& ca_file) {
  std::shared_ptr<ClientTls> tls(new ClientTls());
  TRY(tls->context_, make_context(TLS_client_method()));
  SSL_CTX_set_verify(tls->context_, SSL_VERIFY_PEER, nullptr);
  const int loaded = ca_file.empty() ? SSL_CTX_set_default_verify_paths(tls->context_)
                                     : SSL_CTX_load_verify_locations(tls->context_, ca_file.c_str(), nullptr);
  if (loaded != 1) return Error{Reason::config_invalid, "authorities '" + ca_file + "': " + openssl_error()};
  return std::shared_ptr<const ClientTls>(std::move(tls));
}

ClientTls::~ClientTls() { SSL_CTX_free(context_); }

TlsStream::TlsStream(Loop& loop, Fd fd, std::shared_ptr<const ServerTls> tls)
    : SocketStream(loop, std::move(fd)),
      wire_{fd_.get(), most_for_handshake},
      keep_(tls),
      ssl_(make_ssl(tls->entries_.front().context, wire_)) {
  SSL_set_accept_state(ssl_);
}

TlsStream::TlsStream(Loop& loop, Fd fd, std::shared_ptr<const ClientTls> tls, const std::string& server_name)
    : SocketStream(loop, std::move(fd)),
      wire_{fd_.get(), most_for_handshake},
      keep_(tls),
      ssl_(make_ssl(tls->context_, wire_)) {
  SSL_set_connect_state(ssl_);
  X509_VERIFY_PARAM* parameters = SSL_get0_param(ssl_);
  if (X509_VERIFY_PARAM_set1_ip_asc(parameters, server_name.c_str()) != 1) {
    SSL_set_tlsext_host_name(ssl_, server_name.c_str());
    SALLYPORT_CHECK(SSL_set1_host(ssl_, server_name.c_str()) == 1);
  }
}

TlsStream::~TlsStream() { SSL_free(ssl_); }

IoResult TlsStream::settle(bool writing) {
  switch (trouble_of(ssl_)) {
    case SSL_ERROR_WANT_READ:
      if (writing) readiness_.write_needs_input();
      return {IoStatus::would_block};
    case SSL_ERROR_WANT_WRITE:
      if (writing) {
        readiness_.want_write();
      } else {
        readiness_.read_needs_room();
      }
      return {IoStatus::would_block};
    case SSL_ERROR_ZERO_RETURN:
      return {IoStatus::end};
    default:
      wire_.failed = true;
      if (wire_.established) ERR_clear_error();  // of a handshake, handshake_error() still wants it
      return {IoStatus::failed};
  }
}

IoResult TlsStream::handshake() {
  if (wire_.failed) return {IoStatus::failed};
  ERR_clear_error();
  const int code = SSL_do_handshake(ssl_);
  if (code == 1) {
    wire_.established = true;
    wire_.left = most_without_data;
    return {IoStatus::ok};
  }
  return settle(false);
}

std::string TlsStream::handshake_error() const {
  if (const ClientProof* proof = client_proof_of(ssl_); proof && !proof->ok())
    return "client " + proof->error().detail + " (" + std::string(row(proof->error().reason).name) + ")";
  const long verdict = SSL_get_verify_result(ssl_);
  if (verdict != X509_V_OK) return X509_verify_cert_error_string(verdict);
  return ERR_peek_last_error() != 0 ? openssl_error() : "connection closed";
}

std::shared_ptr<const crypto::ClientCertificate> TlsStream::client_certificate() const {
  const ClientProof* proof = wire_.established ? client_proof_of(ssl_) : nullptr;
  return proof && proof->ok() ? **proof : nullptr;
}

std::string_view TlsStream::version() const { return SSL_get_version(ssl_); }
std::string_view TlsStream::protocol() const {
  const unsigned char* name = nullptr;
  unsigned size = 0;
  SSL_get0_alpn_selected(ssl_, &name, &size);
  return {reinterpret_cast<const char*>(name), size};
}
bool TlsStream::resumed() const { return SSL_session_reused(ssl_) == 1; }

IoResult TlsStream::read(MutableBytes into) {
  if (wire_.failed) return {IoStatus::failed};
  // Several records at a time: one call yields one record at most, and each small message is a record of its own.
  std::size_t filled = 0;
  while (filled < into.size()) {
    std::size_t count = 0;
    const int code = SSL_read_ex(ssl_, into.data() + filled, into.size() - filled, &count);
    if (code != 1) {
      if (filled == 0) return settle(false);
      // An end that came right behind the data may raise no event of its own.
      const int error = trouble_of(ssl_);
      if (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE) readiness_.remind();
      if (error == SSL_ERROR_SSL) {
        wire_.failed = true;
        ERR_clear_error();
      }
      break;
    }
    filled += count;
    wire_.left = most_without_data;
    if (!SSL_has_pending(ssl_)) break;
  }
  return {IoStatus::ok, filled};
}

IoResult TlsStream::write(Bytes from) {
  if (wire_.failed) return {IoStatus::failed};
  std::size_t taken = 0;
  while (taken < from.size()) {
    std::size_t count = 0;
    wire_.more = from.size() - taken > SSL3_RT_MAX_PLAIN_LENGTH;
    const int code = SSL_write_ex(ssl_, from.data() + taken, from.size() - taken, &count);
    if (code != 1) {
      wire_.more = false;
      const IoResult result = settle(true);
      if (taken > 0 && !wire_.failed) break;
      return result;
    }
    taken += count;
  }
  return {IoStatus::ok, taken};
}

void TlsStream::finish() {
  if (wire_.established && !wire_.failed) {
    SSL_shutdown(ssl_);
    ERR_clear_error();
  }
  ::shutdown(fd_.get(), SHUT_WR);
}

Task<Result<void>> handshake(Waiter& waiter, TlsStream& stream, Deadline deadline) {
  for (;;) {
    const IoResult result = stream.handshake();
    if (result.status == IoStatus::ok) co_return Result<void>();
    if (result.status != IoStatus::would_block) co_return Error{Reason::tls_failed, stream.handshake_error()};
    CO_TRY_OK(co_await waiter.wait_for(Waiter::readable | Waiter::writable, deadline));
  }
}

}  // namespace sallyport::net
