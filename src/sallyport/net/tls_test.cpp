#include "sallyport/net/tls.h"

#include <doctest/doctest.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <array>
#include <cstdio>
#include <optional>
#include <string>
#include <vector>

#include "sallyport/base/encoding.h"
#include "sallyport/crypto/test_authority.h"
#include "sallyport/net/loopback.h"
#include "sallyport/net/test_certificates.h"

using namespace sallyport;
using namespace sallyport::net;
using net::testing::keep;
using net::testing::Loopback;
using net::testing::TestCertificates;
using net::testing::wait_for;

namespace {

// One authority for all tests: making keys is the slow part.
TestCertificates& certificates() {
  static TestCertificates made;
  return made;
}

std::shared_ptr<const ServerTls> serving(const std::vector<CertificateFiles>& files) {
  auto loaded = ServerTls::load(files);
  REQUIRE_MESSAGE(loaded.ok(), loaded.error().detail);
  return std::move(loaded).value();
}

std::shared_ptr<const ClientTls> trusting(const std::string& ca_file) {
  auto loaded = ClientTls::load(ca_file);
  REQUIRE_MESSAGE(loaded.ok(), loaded.error().detail);
  return std::move(loaded).value();
}

template <class T>
bool refused(const Result<T>& result, Reason reason) {
  return !result.ok() && result.error().reason == reason;
}

bool contains(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

struct Net {
  Deadline soon() const { return {loop.now() + std::chrono::seconds(10), Reason::http_timeout}; }
  SystemClock clock;
  Loop loop{clock};
};

// One side of a connection with all that it needs to wait.
struct Side {
  template <class... T>
  explicit Side(Loop& loop, T&&... arguments) : waiter(loop), stream(loop, std::forward<T>(arguments)...) {
    stream.attach(waiter.wake(), Waiter::readable, Waiter::writable);
  }
  Waiter waiter;
  TlsStream stream;
};

// Both sides are ours.
struct Pair : Net {
  Pair(std::shared_ptr<const ServerTls> server_tls, std::shared_ptr<const ClientTls> client_tls,
       const std::string& name) {
    auto [client_fd, server_fd] = Loopback(loop).connect_pair();
    server_socket = server_fd.get();
    client.emplace(loop, std::move(client_fd), std::move(client_tls), name);
    server.emplace(loop, std::move(server_fd), std::move(server_tls));
  }
  void shake_hands() {
    loop.spawn(keep(handshake(server->waiter, server->stream, soon()), server_result));
    client_result = wait_for(loop, handshake(client->waiter, client->stream, soon()));
    net::testing::finish_all(loop);
  }
  Result<std::string> read(Side& side) {
    std::vector<Byte> buffer(1 << 20);
    const auto count = wait_for(loop, side.waiter.read_some(side.stream, buffer, soon()));
    if (!count.ok()) return count.error();
    return std::string(text_of(Bytes(buffer).first(*count)));
  }

  int server_socket = -1;
  std::optional<Side> client;
  std::optional<Side> server;
  std::optional<Result<void>> client_result;
  std::optional<Result<void>> server_result;
};

Pair connected_pair() {
  return Pair(serving({certificates().issue("DNS:chat.test")}), trusting(certificates().authority_file()), "chat.test");
}

// A client that does what ours never would; its socket does not block, so one thread can drive both sides.
class RawClient {
 public:
  explicit RawClient(int lowest = TLS1_2_VERSION, int highest = TLS1_3_VERSION)
      : context_(SSL_CTX_new(TLS_client_method())) {
    SSL_CTX_set_security_level(context_, 0);
    SSL_CTX_set_min_proto_version(context_, lowest);
    SSL_CTX_set_max_proto_version(context_, highest);
    SSL_CTX_set_session_cache_mode(context_, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL_STORE);
    SSL_CTX_sess_set_new_cb(context_, [](SSL* ssl, SSL_SESSION* session) {
      auto* self = static_cast<RawClient*>(SSL_get_app_data(ssl));
      SSL_SESSION_free(self->session_);
      self->session_ = session;
      return 1;
    });
  }
  RawClient(const RawClient&) = delete;
  RawClient& operator=(const RawClient&) = delete;
  ~RawClient() {
    SSL_free(ssl_);
    SSL_SESSION_free(session_);
    SSL_CTX_free(context_);
  }

  void name(const char* server_name) { name_ = server_name; }
  void protocols(std::string_view wire) { protocols_ = wire; }
  // Signs with the key of `own`, whatever certificate that is; `others` go behind it.
  void present(const crypto::testing::IssuedCertificate& own, const std::vector<std::string>& others = {}) {
    const auto certificate = crypto::parse_x509(bytes_of(own.der));
    REQUIRE(SSL_CTX_use_certificate(context_, certificate.get()) == 1);
    const crypto::OwnedBio bio(BIO_new_mem_buf(own.key_pem.data(), static_cast<int>(own.key_pem.size())));
    const crypto::OwnedKey key(PEM_read_bio_PrivateKey(bio.get(), nullptr, nullptr, nullptr));
    REQUIRE(SSL_CTX_use_PrivateKey(context_, key.get()) == 1);
    for (const std::string& other : others)
      REQUIRE(SSL_CTX_add0_chain_cert(context_, crypto::parse_x509(bytes_of(other)).release()) == 1);
  }
  void ciphers(const char* list) { REQUIRE(SSL_CTX_set_cipher_list(context_, list) == 1); }
  void groups(const char* list) { REQUIRE(SSL_CTX_set1_groups_list(context_, list) == 1); }

  // A handshake with `tls`, offering the session of the one before; the server's result.
  Result<void> connect(const std::shared_ptr<const ServerTls>& tls) {
    server_.reset();
    // OpenSSL forgets the session of a connection that was not closed in an orderly way.
    if (ssl_) SSL_set_shutdown(ssl_, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
    SSL_free(ssl_);
    auto [client_fd, server_fd] = Loopback(net_.loop).connect_pair();
    fd_ = std::move(client_fd);
    ssl_ = SSL_new(context_);
    SSL_set_app_data(ssl_, this);
    SSL_set_fd(ssl_, fd_.get());
    SSL_set_connect_state(ssl_);
    if (name_) SSL_set_tlsext_host_name(ssl_, name_);
    if (!protocols_.empty()) {
      SSL_set_alpn_protos(ssl_, reinterpret_cast<const unsigned char*>(protocols_.data()),
                          static_cast<unsigned>(protocols_.size()));
    }
    if (session_) SSL_set_session(ssl_, session_);
    server_socket_ = server_fd.get();
    server_.emplace(net_.loop, std::move(server_fd), tls);
    std::optional<Result<void>> result;
    net_.loop.spawn(keep(handshake(server_->waiter, server_->stream, net_.soon()), result));
    while (!result) {
      step();
      net_.loop.turn(std::chrono::milliseconds(1));
    }
    // Reads the server's last flight, alerts, and the ticket, which travels with the first data.
    for (int i = 0; i < 10 && SSL_in_init(ssl_); ++i) step();
    char byte = '!';
    if (result->ok()) server_->stream.write(Bytes(reinterpret_cast<const Byte*>(&byte), 1));
    SSL_read(ssl_, &byte, 1);
    ERR_clear_error();
    return *result;
  }

  TlsStream& server() { return server_->stream; }
  Side& server_side() { return *server_; }
  Net& net() { return net_; }
  SSL* ssl() { return ssl_; }
  int socket() const { return fd_.get(); }
  int server_socket() const { return server_socket_; }
  bool resumed() const { return SSL_session_reused(ssl_) == 1; }
  std::string certificate_name() const {
    X509* certificate = SSL_get0_peer_certificate(ssl_);
    REQUIRE(certificate);
    char text[256] = "";
    X509_NAME_get_text_by_NID(X509_get_subject_name(certificate), NID_commonName, text, sizeof text);
    return text;
  }
  std::string protocol() const {
    const unsigned char* chosen = nullptr;
    unsigned length = 0;
    SSL_get0_alpn_selected(ssl_, &chosen, &length);
    return std::string(reinterpret_cast<const char*>(chosen), length);
  }

 private:
  void step() {
    SSL_do_handshake(ssl_);
    ERR_clear_error();
  }

  Net net_;
  SSL_CTX* context_;
  SSL* ssl_ = nullptr;
  SSL_SESSION* session_ = nullptr;
  Fd fd_;
  int server_socket_ = -1;
  std::optional<Side> server_;
  const char* name_ = nullptr;
  std::string protocols_;
};

}  // namespace

TEST_CASE("tls: both sides meet, at the latest version, and bytes go both ways") {
  Pair pair = connected_pair();
  pair.shake_hands();
  REQUIRE(pair.client_result->ok());
  REQUIRE(pair.server_result->ok());
  CHECK(pair.server->stream.version() == "TLSv1.3");
  CHECK_FALSE(pair.server->stream.resumed());
  CHECK(wait_for(pair.loop, pair.client->waiter.write_all(pair.client->stream, bytes_of("hello"), pair.soon())).ok());
  CHECK(pair.read(*pair.server).value() == "hello");
  CHECK(wait_for(pair.loop, pair.server->waiter.write_all(pair.server->stream, bytes_of("bye"), pair.soon())).ok());
  CHECK(pair.read(*pair.client).value() == "bye");
}

TEST_CASE("tls: an IP address may be the name") {
  Pair pair(serving({certificates().issue("IP:127.0.0.1")}), trusting(certificates().authority_file()), "127.0.0.1");
  pair.shake_hands();
  CHECK(pair.client_result->ok());
  Pair wrong(serving({certificates().issue("IP:127.0.0.1")}), trusting(certificates().authority_file()), "127.0.0.2");
  wrong.shake_hands();
  CHECK(refused(*wrong.client_result, Reason::tls_failed));
}

TEST_CASE("tls: an authority that is not known is refused by the client") {
  const TestCertificates stranger("Unknown Authority");
  Pair pair(serving({certificates().issue("DNS:chat.test")}), trusting(stranger.authority_file()), "chat.test");
  pair.shake_hands();
  REQUIRE(refused(*pair.client_result, Reason::tls_failed));
  CHECK(contains(pair.client_result->error().detail, "unable to get local issuer certificate"));
}

TEST_CASE("tls: a certificate for another name is refused by the client") {
  for (const char* names : {"DNS:other.test", "DNS:chat.test.other", "DNS:*.test.chat", "IP:127.0.0.1"}) {
    CAPTURE(names);
    Pair pair(serving({certificates().issue(names)}), trusting(certificates().authority_file()), "chat.test");
    pair.shake_hands();
    REQUIRE(refused(*pair.client_result, Reason::tls_failed));
    CHECK(contains(pair.client_result->error().detail, "hostname mismatch"));
  }
}

TEST_CASE("tls: an expired certificate is refused by the client") {
  Pair pair(serving({certificates().issue("DNS:chat.test", -60)}), trusting(certificates().authority_file()),
            "chat.test");
  pair.shake_hands();
  REQUIRE(refused(*pair.client_result, Reason::tls_failed));
  CHECK(contains(pair.client_result->error().detail, "certificate has expired"));
}

TEST_CASE("tls: versions below 1.2 are refused, 1.2 and 1.3 are not") {
  const auto tls = serving({certificates().issue("DNS:chat.test")});
  struct Row {
    int version;
    const char* name;
    bool accepted;
  };
  for (const Row& row : {Row{TLS1_VERSION, "TLSv1", false}, Row{TLS1_1_VERSION, "TLSv1.1", false},
                         Row{TLS1_2_VERSION, "TLSv1.2", true}, Row{TLS1_3_VERSION, "TLSv1.3", true}}) {
    CAPTURE(row.name);
    RawClient client(row.version, row.version);
    const Result<void> result = client.connect(tls);
    CHECK(result.ok() == row.accepted);
    if (row.accepted) {
      CHECK(client.server().version() == row.name);
    } else {
      CHECK(refused(result, Reason::tls_failed));
      CHECK(contains(result.error().detail, "unsupported protocol"));
    }
  }
}

TEST_CASE("tls: ciphers without forward secrecy or authentication of each record, and weak groups, are refused") {
  const auto tls = serving({certificates().issue("DNS:chat.test")});
  for (const char* list :
       {"ECDHE-ECDSA-AES128-SHA", "ECDHE-ECDSA-AES128-SHA256", "AES128-GCM-SHA256", "ECDHE-ECDSA-NULL-SHA"}) {
    CAPTURE(list);
    RawClient client(TLS1_2_VERSION, TLS1_2_VERSION);
    client.ciphers(list);
    CHECK(refused(client.connect(tls), Reason::tls_failed));
  }
  RawClient good(TLS1_2_VERSION, TLS1_2_VERSION);
  good.ciphers("ECDHE-ECDSA-AES128-GCM-SHA256");
  CHECK(good.connect(tls).ok());
  RawClient group;
  group.groups("P-521");
  CHECK(refused(group.connect(tls), Reason::tls_failed));
}

TEST_CASE("tls: the name that is asked for picks the certificate, the first one stands in") {
  const auto tls =
      serving({certificates().issue("DNS:first.test"), certificates().issue("DNS:second.test,DNS:*.third.test")});
  RawClient plain;
  REQUIRE(plain.connect(tls).ok());
  const std::string first = plain.certificate_name();
  struct Row {
    const char* asked;
    bool second;
  };
  for (const Row& row :
       {Row{"first.test", false}, Row{"second.test", true}, Row{"SECOND.test", true}, Row{"a.third.test", true},
        Row{"third.test", false}, Row{"a.b.third.test", false}, Row{"nobody.test", false}}) {
    for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
      CAPTURE(row.asked);
      RawClient client(version, version);
      client.name(row.asked);
      REQUIRE(client.connect(tls).ok());
      CHECK((client.certificate_name() != first) == row.second);
    }
  }
}

TEST_CASE("tls: a client that speaks another protocol is refused (ALPN), one that does not say is not") {
  const auto tls = serving({certificates().issue("DNS:chat.test")});
  {
    RawClient client;
    client.protocols("\x02h2");
    CHECK(refused(client.connect(tls), Reason::tls_failed));
  }
  {
    RawClient client;
    client.protocols("\x02h2\x08http/1.1");
    REQUIRE(client.connect(tls).ok());
    CHECK(client.protocol() == "http/1.1");
  }
  {
    RawClient client;
    REQUIRE(client.connect(tls).ok());
    CHECK(client.protocol().empty());
  }
}

TEST_CASE("tls: HTTP/2 is agreed upon where the server speaks it, and only with who offers it") {
  const auto loaded = ServerTls::load({certificates().issue("DNS:chat.test")}, Alpn::http2_or_http1);
  REQUIRE(loaded.ok());
  struct Row {
    const char* offered;
    std::string_view agreed;
  };
  for (const Row& row : {Row{"\x08http/1.1\x02h2", "h2"}, Row{"\x02h2", "h2"}, Row{"\x08http/1.1", "http/1.1"}}) {
    RawClient client;
    client.protocols(row.offered);
    REQUIRE(client.connect(*loaded).ok());
    CHECK(client.protocol() == row.agreed);
    CHECK(client.server().protocol() == row.agreed);
  }
  RawClient silent;
  REQUIRE(silent.connect(*loaded).ok());
  CHECK(silent.server().protocol().empty());
  RawClient other;
  other.protocols("\x06spdy/1");
  CHECK(refused(other.connect(*loaded), Reason::tls_failed));
}

TEST_CASE("tls: a session is resumed with the context that gave it, also by name, and not with a later one") {
  const std::vector files{certificates().issue("DNS:first.test"), certificates().issue("DNS:second.test")};
  const auto tls = serving(files);
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    for (const char* name : {static_cast<const char*>(nullptr), "first.test", "second.test"}) {
      RawClient client(version, version);
      client.name(name);
      REQUIRE(client.connect(tls).ok());
      CHECK_FALSE(client.resumed());
      REQUIRE(client.connect(tls).ok());
      CHECK(client.resumed());
      CHECK(client.server().resumed());
      REQUIRE(client.connect(serving(files)).ok());
      CHECK_FALSE(client.resumed());
    }
  }
}

TEST_CASE("tls: a connection outlives the context that was replaced by a reload") {
  auto tls = serving({certificates().issue("DNS:chat.test")});
  Pair pair(tls, trusting(certificates().authority_file()), "chat.test");
  tls.reset();
  pair.shake_hands();
  REQUIRE(pair.server_result->ok());
  CHECK(wait_for(pair.loop, pair.client->waiter.write_all(pair.client->stream, bytes_of("hello"), pair.soon())).ok());
  CHECK(pair.read(*pair.server).value() == "hello");
}

TEST_CASE("tls: more than fits is written part by part, and arrives whole") {
  Pair pair = connected_pair();
  pair.shake_hands();
  const int small = 4096;
  ::setsockopt(pair.server_socket, SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
  std::string sent;
  for (std::size_t i = 0; sent.size() < (8 << 20); ++i) sent += std::to_string(i) + ",";
  std::optional<Result<void>> written;
  pair.loop.spawn(keep(pair.server->waiter.write_all(pair.server->stream, bytes_of(sent), pair.soon()), written));
  CHECK_FALSE(written);
  std::string received;
  while (received.size() < sent.size()) {
    const auto part = pair.read(*pair.client);
    REQUIRE(part.ok());
    received += *part;
  }
  CHECK(received == sent);
  net::testing::finish_all(pair.loop);
  CHECK(written->ok());
}

TEST_CASE("tls: many small records are read with few calls, and none is left behind") {
  Pair pair = connected_pair();
  pair.shake_hands();
  std::string sent;
  for (int i = 0; i < 200; ++i) {
    const std::string record = "record " + std::to_string(i) + ";";
    REQUIRE(pair.client->stream.write(bytes_of(record)).status == IoStatus::ok);
    sent += record;
  }
  std::string received;
  std::array<Byte, 100> buffer;
  while (received.size() < sent.size()) {
    const auto count = wait_for(pair.loop, pair.server->waiter.read_some(pair.server->stream, buffer, pair.soon()));
    REQUIRE(count.ok());
    received += text_of(Bytes(buffer).first(*count));
  }
  CHECK(received == sent);
  CHECK(pair.server->stream.read(buffer).status == IoStatus::would_block);
}

TEST_CASE("tls: a peer that sends nothing but words of TLS itself has failed, one that also has data has not") {
  const auto tls = serving({certificates().issue("DNS:chat.test")});
  RawClient client(TLS1_3_VERSION);
  REQUIRE(client.connect(tls).ok());
  const auto send_key_updates = [&](int count) {
    for (int i = 0; i < count; ++i) {
      REQUIRE(SSL_key_update(client.ssl(), SSL_KEY_UPDATE_NOT_REQUESTED) == 1);
      REQUIRE(SSL_do_handshake(client.ssl()) == 1);
    }
  };
  std::array<Byte, 16> buffer;
  for (int i = 0; i < 3; ++i) {
    send_key_updates(1000);
    REQUIRE(SSL_write(client.ssl(), "x", 1) == 1);
    const auto count = wait_for(client.net().loop,
                                client.server_side().waiter.read_some(client.server(), buffer, client.net().soon()));
    REQUIRE(count.ok());
    CHECK(*count == 1);
  }
  send_key_updates(2000);
  const auto count =
      wait_for(client.net().loop, client.server_side().waiter.read_some(client.server(), buffer, client.net().soon()));
  CHECK(refused(count, Reason::peer_gone));
}

TEST_CASE("tls: while a read waits for room to write it is not woken, and goes on when there is room") {
  const auto tls = serving({certificates().issue("DNS:chat.test")});
  RawClient client(TLS1_3_VERSION);
  REQUIRE(client.connect(tls).ok());
  Net& net = client.net();
  Waiter& waiter = client.server_side().waiter;
  const int small = 4096;
  ::setsockopt(client.server_socket(), SOL_SOCKET, SO_SNDBUF, &small, sizeof small);

  // Each of these asks for an answer, and nobody reads the answers.
  std::array<Byte, 16> buffer;
  std::size_t sent = 0;
  std::size_t received = 0;
  const auto unread = [&] {
    int bytes = 0;
    REQUIRE(::ioctl(client.server_socket(), FIONREAD, &bytes) == 0);
    return bytes;
  };
  const auto send_more = [&] {
    for (int i = 0; i < 500; ++i) {
      REQUIRE(SSL_key_update(client.ssl(), SSL_KEY_UPDATE_REQUESTED) == 1);
      REQUIRE(SSL_do_handshake(client.ssl()) == 1);
    }
    REQUIRE(SSL_write(client.ssl(), "x", 1) == 1);
    ++sent;
  };
  const auto read_all = [&] {
    for (IoResult result{IoStatus::ok}; result.status == IoStatus::ok; received += result.bytes) {
      result = client.server().read(buffer);
      REQUIRE(result.status != IoStatus::failed);
    }
  };
  // The kernel finds room again for a while; in the end there is none, and then it is quiet although there is more to read.
  while (unread() == 0) {
    REQUIRE(sent < 100'000);
    while (unread() == 0) {
      send_more();
      read_all();
    }
    int woken = 0;
    for (; woken < 50; ++woken) {
      const Deadline soon{net.loop.now() + std::chrono::milliseconds(20), Reason::http_timeout};
      if (!wait_for(net.loop, waiter.wait_for(Waiter::readable, soon)).ok()) break;
      read_all();
    }
    REQUIRE(woken < 50);
  }
  CHECK(received < sent);

  while (received < sent) {
    char answers[16 * 1024];
    while (::recv(client.socket(), answers, sizeof answers, MSG_DONTWAIT) > 0) continue;
    const auto count = wait_for(net.loop, waiter.read_some(client.server(), buffer, net.soon()));
    REQUIRE(count.ok());
    received += *count;
  }
}

TEST_CASE("tls: close_notify is an end, a connection cut without it is a failure") {
  Pair pair = connected_pair();
  pair.shake_hands();
  SUBCASE("orderly") {
    pair.client->stream.finish();
    const auto ended = pair.read(*pair.server);
    REQUIRE(refused(ended, Reason::peer_gone));
    CHECK(ended.error().detail == "stream ended");
    CHECK(wait_for(pair.loop, pair.server->waiter.write_all(pair.server->stream, bytes_of("bye"), pair.soon())).ok());
    CHECK(pair.read(*pair.client).value() == "bye");
  }
  SUBCASE("orderly, with errors of others in the thread's queue") {
    std::array<Byte, 16> buffer;
    ERR_raise(ERR_LIB_PEM, ERR_R_PASSED_NULL_PARAMETER);
    CHECK(pair.server->stream.read(buffer).status == IoStatus::would_block);
    pair.client->stream.finish();
    CHECK(pair.read(*pair.server).error().detail == "stream ended");
  }
  SUBCASE("a fatal alert") {
    const std::string_view no_record = "this is no record of TLS";
    REQUIRE(::send(pair.server_socket, no_record.data(), no_record.size(), 0) > 0);
    CHECK(pair.read(*pair.client).error().detail == "stream failed");
    CHECK(pair.read(*pair.server).error().detail == "stream failed");
  }
  SUBCASE("a fault right behind data leaves no error for the next connection") {
    REQUIRE(pair.server->stream.write(bytes_of("last words")).status == IoStatus::ok);
    const std::string_view no_record = "this is no record of TLS";
    REQUIRE(::send(pair.server_socket, no_record.data(), no_record.size(), 0) > 0);
    CHECK(pair.read(*pair.client).value() == "last words");
    CHECK(ERR_peek_error() == 0);
    CHECK(pair.read(*pair.client).error().detail == "stream failed");
  }
  SUBCASE("cut") {
    pair.client.reset();
    const auto failed = pair.read(*pair.server);
    REQUIRE(refused(failed, Reason::peer_gone));
    CHECK(failed.error().detail == "stream failed");
    CHECK(pair.server->stream.write(bytes_of("x")).status == IoStatus::failed);
    CHECK(pair.server->stream.read({}).status == IoStatus::failed);
  }
}

TEST_CASE("tls: bytes that are no TLS are refused") {
  for (const std::string text : {"GET / HTTP/1.1\r\n\r\n", "\x16\x03\x01\xff\xff", "xxxxxxxxxxxxxxxx"}) {
    Net net;
    auto [client, server_fd] = Loopback(net.loop).connect_pair();
    Side server(net.loop, std::move(server_fd), serving({certificates().issue("DNS:chat.test")}));
    REQUIRE(::send(client.get(), text.data(), text.size(), 0) == static_cast<ssize_t>(text.size()));
    ::shutdown(client.get(), SHUT_WR);
    const auto result = wait_for(net.loop, handshake(server.waiter, server.stream, net.soon()));
    CHECK(refused(result, Reason::tls_failed));
  }
}

TEST_CASE("tls: a peer that says nothing runs into the deadline, an interruption ends the handshake") {
  FakeClock clock;
  Loop loop(clock);
  auto [client, server_fd] = Loopback(loop).connect_pair();
  Side server(loop, std::move(server_fd), serving({certificates().issue("DNS:chat.test")}));
  std::optional<Result<void>> result;
  loop.spawn(keep(handshake(server.waiter, server.stream, {loop.now() + std::chrono::seconds(5), Reason::http_timeout}),
                  result));
  SUBCASE("deadline") {
    clock.advance(std::chrono::seconds(5));
    loop.turn(Duration::zero());
    REQUIRE(result);
    CHECK(refused(*result, Reason::http_timeout));
  }
  SUBCASE("interruption") {
    server.waiter.interrupt({Reason::server_draining, ""});
    loop.turn(Duration::zero());
    REQUIRE(result);
    CHECK(refused(*result, Reason::server_draining));
  }
}

TEST_CASE("tls: the failure of one connection is not told by another") {
  Pair good = connected_pair();
  good.shake_hands();
  Pair bad(serving({certificates().issue("DNS:other.test")}), trusting(certificates().authority_file()), "chat.test");
  bad.shake_hands();
  CHECK(refused(*bad.client_result, Reason::tls_failed));
  std::array<Byte, 16> buffer;
  CHECK(good.server->stream.read(buffer).status == IoStatus::would_block);
  CHECK(good.server->stream.write(bytes_of("x")).status == IoStatus::ok);
}

namespace {

using Demand = ClientCertificates::Demand;

// An authority for clients, and a listener that asks for what it issues.
struct Clients {
  std::shared_ptr<const ServerTls> listener(Demand demand, crypto::ClientTrust trust = {}) {
    trust.ca_file = certificates().write("clients.pem", root.pem());
    auto loaded = crypto::ClientAuthorities::load(trust);
    REQUIRE_MESSAGE(loaded.ok(), loaded.error().detail);
    authorities = std::move(*loaded);
    auto tls = ServerTls::load({certificates().issue("DNS:chat.test")}, Alpn::http1, {authorities, demand});
    REQUIRE_MESSAGE(tls.ok(), tls.error().detail);
    return std::move(tls).value();
  }
  crypto::testing::TestAuthority root;
  std::shared_ptr<crypto::ClientAuthorities> authorities;
};

}  // namespace

TEST_CASE("tls: a client's certificate is asked for, verified, and shown") {
  Clients clients;
  const auto tls = clients.listener(Demand::require);
  const auto issued = clients.root.issue();
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    CAPTURE(version);
    RawClient client(version, version);
    client.present(issued);
    REQUIRE(client.connect(tls).ok());
    const auto shown = client.server().client_certificate();
    REQUIRE(shown);
    CHECK((*shown)->subject == "CN=device-1,O=Example");
    CHECK(hex_encode((*shown)->thumbprint) == hex_encode(crypto::sha256(bytes_of(issued.der))));
    // What was proved once is not taken on trust by the next connection.
    REQUIRE(client.connect(tls).ok());
    CHECK_FALSE(client.resumed());
    CHECK(client.server().client_certificate());
  }
}

TEST_CASE("tls: without a certificate") {
  Clients clients;
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    CAPTURE(version);
    RawClient client(version, version);
    const Result<void> required = client.connect(clients.listener(Demand::require));
    REQUIRE(refused(required, Reason::tls_failed));
    CHECK(contains(required.error().detail, "peer did not return a certificate"));
    const auto asking = clients.listener(Demand::request);
    REQUIRE(client.connect(asking).ok());
    CHECK(!client.server().client_certificate());
    REQUIRE(client.connect(asking).ok());
    CHECK_FALSE(client.resumed());
  }
}

TEST_CASE("tls: a certificate that does not hold ends the handshake, even where none is needed") {
  Clients clients;
  crypto::testing::TestAuthority stranger(std::time(nullptr), crypto::testing::TestAuthority::root_spec("Others"));
  crypto::testing::CertificateSpec expired;
  expired.until = -10;
  crypto::testing::CertificateSpec for_servers;
  for_servers.extended_usage = "serverAuth";
  struct Row {
    crypto::testing::IssuedCertificate certificate;
    std::string_view words;
  };
  for (const Row& row : {Row{stranger.issue(), "unable to get local issuer certificate (credential.invalid)"},
                         Row{clients.root.issue(expired), "certificate has expired (credential.expired)"},
                         Row{clients.root.issue(for_servers), "unsuitable certificate purpose (credential.invalid)"}}) {
    for (const Demand demand : {Demand::require, Demand::request}) {
      RawClient client;
      client.present(row.certificate);
      const Result<void> result = client.connect(clients.listener(demand));
      REQUIRE(refused(result, Reason::tls_failed));
      INFO(result.error().detail);
      CHECK(contains(result.error().detail, row.words));
      CHECK(!client.server().client_certificate());
    }
  }
}

TEST_CASE("tls: intermediates come with the client") {
  Clients clients;
  const auto tls = clients.listener(Demand::require);
  crypto::testing::TestAuthority below(clients.root, crypto::testing::TestAuthority::root_spec("Below"));
  const auto issued = below.issue();
  RawClient alone;
  alone.present(issued);
  CHECK(refused(alone.connect(tls), Reason::tls_failed));
  RawClient whole;
  whole.present(issued, {below.der()});
  CHECK(whole.connect(tls).ok());
}

TEST_CASE("tls: a list that is replaced refuses the next handshake and is heard of by who is connected") {
  Clients clients;
  const auto issued = clients.root.issue();
  crypto::ClientTrust trust;
  trust.crl_file = certificates().write("clients.crl", clients.root.revoke({}));
  const auto tls = clients.listener(Demand::require, trust);
  RawClient client;
  client.present(issued);
  REQUIRE(client.connect(tls).ok());
  const auto shown = client.server().client_certificate();
  certificates().write("clients.crl", clients.root.revoke({issued.der}));
  REQUIRE(clients.authorities->refresh().value());
  const Result<void> again = client.connect(tls);
  REQUIRE(refused(again, Reason::tls_failed));
  CHECK(contains(again.error().detail, "certificate revoked (credential.revoked)"));
  CHECK(shown->verify_again(SystemClock().wall()).error().reason == Reason::credential_revoked);
}

TEST_CASE("tls: files that cannot be served are refused by name") {
  const CertificateFiles one = certificates().issue("DNS:one.test");
  const CertificateFiles two = certificates().issue("DNS:two.test");
  const std::string text = certificates().write("text.pem", "no certificate\n");
  CHECK(refused(ServerTls::load({}), Reason::config_invalid));
  const std::string locked = certificates().path("locked.key");
  EVP_PKEY* key = EVP_EC_gen("P-256");
  std::FILE* file = std::fopen(locked.c_str(), "w");
  REQUIRE(file);
  REQUIRE(PEM_write_PrivateKey(file, key, EVP_aes_128_cbc(), nullptr, 0, nullptr, const_cast<char*>("password")) == 1);
  std::fclose(file);
  EVP_PKEY_free(key);
  struct Row {
    CertificateFiles files;
    std::string_view named;
  };
  for (const Row& row : {Row{{one.certificate, locked}, locked}, Row{{"/nowhere.pem", one.key}, "/nowhere.pem"},
                         Row{{text, one.key}, text}, Row{{one.certificate, "/nowhere.key"}, "/nowhere.key"},
                         Row{{one.certificate, text}, text}, Row{{one.certificate, two.key}, two.key}}) {
    const auto loaded = ServerTls::load({one, row.files});
    REQUIRE(refused(loaded, Reason::config_invalid));
    CHECK(contains(loaded.error().detail, row.named));
  }
  const auto authorities = ClientTls::load("/nowhere.pem");
  REQUIRE(refused(authorities, Reason::config_invalid));
  CHECK(contains(authorities.error().detail, "/nowhere.pem"));
  CHECK(ClientTls::load("").ok());
}
