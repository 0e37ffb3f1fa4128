#pragma once

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <condition_variable>
#include <cstdlib>
#include <mutex>
#include <string>
#include <thread>

#include "sallyport/auth/jwt/issuer.h"
#include "sallyport/jose/jwt.h"

/// Issuers, their keys and a place to fetch these from, for the tests of this folder and of those above it.
namespace sallyport::auth::testing {

/// A file that only its owner can read; gone with this object.
class TemporaryFile {
 public:
  explicit TemporaryFile(std::string_view content) {
    path_ = "/tmp/sallyport-test-XXXXXX";
    const int fd = ::mkstemp(path_.data());
    SALLYPORT_CHECK(fd >= 0);
    SALLYPORT_CHECK(::write(fd, content.data(), content.size()) == static_cast<ssize_t>(content.size()));
    ::close(fd);
  }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;
  ~TemporaryFile() { ::unlink(path_.c_str()); }
  const std::string& path() const { return path_; }
  void open_to_everybody() { SALLYPORT_CHECK(::chmod(path_.c_str(), 0644) == 0); }

 private:
  std::string path_;
};

/// An HTTP server on a free loopback port, on a thread of its own: one request per connection, always the same answer.
class JwksServer {
 public:
  explicit JwksServer(std::string body = "", int port = 0) : body_(std::move(body)) {
    ::setenv("no_proxy", "*", 1);
    listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof address;
    listening_ = ::bind(listener_, reinterpret_cast<sockaddr*>(&address), length) == 0 && ::listen(listener_, 16) == 0;
    if (!listening_) return;
    SALLYPORT_CHECK(::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &length) == 0);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { serve(); });
  }
  JwksServer(const JwksServer&) = delete;
  JwksServer& operator=(const JwksServer&) = delete;
  ~JwksServer() {
    {
      const std::scoped_lock lock(mutex_);
      stopping_ = true;
      held_ = false;
    }
    changed_.notify_all();
    ::shutdown(listener_, SHUT_RDWR);
    if (thread_.joinable()) thread_.join();
    ::close(listener_);
  }

  bool listening() const { return listening_; }
  std::string url(std::string_view path = "/jwks.json") const {
    return "http://127.0.0.1:" + std::to_string(port_) + std::string(path);
  }
  void answer(std::string body, int status = 200) {
    const std::scoped_lock lock(mutex_);
    body_ = std::move(body);
    status_ = status;
  }
  /// Requests are taken but not answered until release().
  void hold() {
    const std::scoped_lock lock(mutex_);
    held_ = true;
  }
  void release() {
    {
      const std::scoped_lock lock(mutex_);
      held_ = false;
    }
    changed_.notify_all();
  }
  /// Requests received, answered or not.
  int requests() const {
    const std::scoped_lock lock(mutex_);
    return requests_;
  }

 private:
  void serve() {
    for (;;) {
      const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
      if (fd < 0) return;
      std::string head;
      char buffer[4096];
      while (head.find("\r\n\r\n") == std::string::npos) {
        const ssize_t count = ::read(fd, buffer, sizeof buffer);
        if (count <= 0) break;
        head.append(buffer, static_cast<std::size_t>(count));
      }
      std::string answer;
      {
        std::unique_lock lock(mutex_);
        ++requests_;
        changed_.wait(lock, [this] { return !held_; });
        if (stopping_) {
          ::close(fd);
          return;
        }
        answer = "HTTP/1.1 " + std::to_string(status_) +
                 " Answer\r\nContent-Type: application/json\r\nConnection: close\r\n" +
                 (status_ == 302 ? "Location: " + body_ + "\r\nContent-Length: 0\r\n\r\n"
                                 : "Content-Length: " + std::to_string(body_.size()) + "\r\n\r\n" + body_);
      }
      for (std::size_t sent = 0; sent < answer.size();) {
        const ssize_t count = ::send(fd, answer.data() + sent, answer.size() - sent, MSG_NOSIGNAL);
        if (count <= 0) break;
        sent += static_cast<std::size_t>(count);
      }
      ::close(fd);
    }
  }

  int listener_ = -1;
  int port_ = 0;
  bool listening_ = false;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::string body_;
  int status_ = 200;
  bool held_ = false;
  bool stopping_ = false;
  int requests_ = 0;
  std::thread thread_;
};

/// Signs tokens that an issuer with the defaults of issuer_config() accepts.
class TokenMaker {
 public:
  TokenMaker() : key_(jose::SigningKey::generate(jose::Algorithm::ES256)) {}

  json::Value jwk() const { return key_.to_public_jwk(); }
  std::string jwks() const { return json::dump(json::Object{{"keys", json::Array{jwk()}}}); }
  /// Valid for ten minutes from `now`; `more` members take the place of those of the same name.
  std::string token(WallTime now, json::Object more = {}, json::Object header = {{"typ", "JWT"}}) const {
    json::Object claims{{"iss", "https://id.example.com"},
                        {"aud", "chat"},
                        {"sub", "alice"},
                        {"iat", to_unix_seconds(now)},
                        {"exp", to_unix_seconds(now) + 600}};
    for (auto& [name, value] : more) {
      std::erase_if(claims, [&](const auto& member) { return member.first == name; });
      claims.emplace_back(name, value);
    }
    std::erase_if(claims, [](const auto& member) { return member.second.is_null(); });
    return jose::sign_jwt(header, claims, key_);
  }
  const jose::SigningKey& key() const { return key_; }

 private:
  jose::SigningKey key_;
};

/// Both makers' keys in one set.
inline std::string jwks_of(const TokenMaker& one, const TokenMaker& other) {
  return json::dump(json::Object{{"keys", json::Array{one.jwk(), other.jwk()}}});
}

inline IssuerConfig issuer_config(const std::string& jwks_file) {
  IssuerConfig config;
  config.name = "main";
  config.issuer = "https://id.example.com";
  config.audience = {"chat"};
  config.algorithms = {jose::Algorithm::ES256};
  config.keys.jwks_file.path = jwks_file;
  return config;
}

/// The issuer of `maker`'s tokens.
inline std::shared_ptr<const Issuer> make_issuer(const TokenMaker& maker, net::Loop& loop) {
  const TemporaryFile file(maker.jwks());
  return auth::make_issuer(issuer_config(file.path()), config::empty_environment(), loop).value();
}

}  // namespace sallyport::auth::testing
