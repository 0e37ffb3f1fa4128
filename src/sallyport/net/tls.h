#pragma once

#include <memory>
#include <string>
#include <vector>

#include "sallyport/crypto/client_authorities.h"
#include "sallyport/net/socket.h"

struct ssl_st;
struct ssl_ctx_st;

/// TLS 1.2 and 1.3 by OpenSSL with one modern profile: AEAD cipher suites with forward secrecy, X25519 and P-256, no
/// renegotiation, no compression. There is nothing to tune, so there is nothing to tune wrongly.
namespace sallyport::net {

struct CertificateFiles {
  std::string certificate;  ///< PEM, leaf first, intermediates after it
  std::string key;          ///< PEM, not encrypted
};

/// What a server speaks: of what a client offers the best, and with who offers none of it no connection comes about (RFC 7301 §3.2).
enum class Alpn : std::uint8_t { http1, http2_or_http1 };

/// Whether clients are asked for a certificate. One that is presented must hold, whatever is demanded.
struct ClientCertificates {
  enum class Demand : std::uint8_t {
    require,  ///< no connection without one
    request,  ///< who has none goes on without
  };
  std::shared_ptr<const crypto::ClientAuthorities> authorities;  ///< null: nobody is asked
  Demand demand = Demand::require;
};

/// What a listener presents: one or more certificates, chosen by the name that the client asks for (SNI); a client that asks
/// for no name or for one nobody has gets the first. Immutable, shared by all loops; a reload makes a new one.
class ServerTls {
 public:
  /// Reads the files. Errors: `config.invalid` naming the file and what is wrong (unreadable, no PEM, key of another
  /// certificate). Where clients are asked for certificates, no session is resumed: each connection proves the key anew and is judged
  /// by the revocation lists of the moment.
  static Result<std::shared_ptr<const ServerTls>> load(const std::vector<CertificateFiles>& files,
                                                       Alpn alpn = Alpn::http1, ClientCertificates clients = {});
  ~ServerTls();
  ServerTls(const ServerTls&) = delete;
  ServerTls& operator=(const ServerTls&) = delete;

 private:
  friend class TlsStream;
  ServerTls() = default;
  ssl_ctx_st* pick(const char* server_name) const;

  struct Entry {
    ssl_ctx_st* context;
    void* certificate;
  };
  std::vector<Entry> entries_;
  std::shared_ptr<const crypto::ClientAuthorities> authorities_;
};

/// How outbound connections verify the other side: always, against the system's authorities or the given file.
class ClientTls {
 public:
  /// `ca_file` empty: the system's authorities. Errors: `config.invalid`.
  static Result<std::shared_ptr<const ClientTls>> load(const std::string& ca_file);
  ~ClientTls();
  ClientTls(const ClientTls&) = delete;
  ClientTls& operator=(const ClientTls&) = delete;

 private:
  friend class TlsStream;
  ClientTls() = default;
  ssl_ctx_st* context_ = nullptr;
};

namespace detail {

/// The socket as OpenSSL reads it.
struct TlsWire {
  int fd;
  std::uint32_t left;  ///< bytes that may still be taken from it before something must come of them
  const ssl_st* ssl = nullptr;
  bool more = false;  ///< another record follows at once, so that the kernel may wait for it and send both together
  bool failed = false;
  bool established = false;
};

}  // namespace detail

/// A TLS connection on a socket. Holds no buffer while idle. A peer that sends a lot that is no data, key updates for instance, has
/// failed: OpenSSL would go on reading in one call for as long as more arrives.
class TlsStream final : public SocketStream {
 public:
  /// The server's side of an accepted socket.
  TlsStream(Loop& loop, Fd fd, std::shared_ptr<const ServerTls> tls);
  /// The client's side of a connected socket; `server_name` is sent as SNI and must be in the certificate.
  TlsStream(Loop& loop, Fd fd, std::shared_ptr<const ClientTls> tls, const std::string& server_name);
  ~TlsStream() override;

  /// Must be driven to `ok` before the first read or write; `failed` explains itself in handshake_error().
  IoResult handshake();
  std::string handshake_error() const;
  /// `TLSv1.3`, for logs.
  std::string_view version() const;
  bool resumed() const;
  /// The client's, when it was asked for one and presented it: its chain was verified, and its key signed this handshake. Null before
  /// the handshake is done and where there is none.
  std::shared_ptr<const crypto::ClientCertificate> client_certificate() const;
  /// What was agreed upon by ALPN, `h2` say; empty when the client offered nothing.
  std::string_view protocol() const;

  IoResult read(MutableBytes into) override;
  IoResult write(Bytes from) override;
  void finish() override;

 private:
  IoResult settle(bool writing);

  detail::TlsWire wire_;
  std::shared_ptr<const void> keep_;
  ssl_st* ssl_;
};

/// Drives the handshake. Errors: `tls.failed` with OpenSSL's words, `deadline.late`, the waiter's interruption.
Task<Result<void>> handshake(Waiter& waiter, TlsStream& stream, Deadline deadline);

}  // namespace sallyport::net
