#pragma once

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <condition_variable>
#include <cstdlib>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "sallyport/base/result.h"

/// A server that decides, for the tests of those who ask one.
namespace sallyport::auth::testing {

/// One request as it came.
struct Asked {
  std::string head;
  std::string body;

  bool has(std::string_view text) const {
    return head.find(text) != std::string::npos || body.find(text) != std::string::npos;
  }
};

struct Reply {
  std::string body;
  int status = 200;
  std::string fields = {};  ///< each with its CRLF
};

/// An HTTP server on a free loopback port, a thread for each connection, one request in each: what `decide` says.
class DecidingServer {
 public:
  using Decide = std::function<Reply(const Asked&)>;

  explicit DecidingServer(Decide decide) : decide_(std::move(decide)) {
    ::setenv("no_proxy", "*", 1);
    listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof address;
    SALLYPORT_CHECK(::bind(listener_, reinterpret_cast<sockaddr*>(&address), length) == 0);
    SALLYPORT_CHECK(::listen(listener_, 64) == 0);
    SALLYPORT_CHECK(::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &length) == 0);
    port_ = ntohs(address.sin_port);
    acceptor_ = std::thread([this] { accept(); });
  }
  DecidingServer(const DecidingServer&) = delete;
  DecidingServer& operator=(const DecidingServer&) = delete;
  ~DecidingServer() {
    {
      const std::scoped_lock lock(mutex_);
      stopping_ = true;
      held_ = false;
    }
    changed_.notify_all();
    ::shutdown(listener_, SHUT_RDWR);
    acceptor_.join();
    for (std::thread& thread : connections_) thread.join();
    ::close(listener_);
  }

  std::string url(std::string_view path = "/decide") const {
    return "http://127.0.0.1:" + std::to_string(port_) + std::string(path);
  }
  void decide(Decide decide) {
    const std::scoped_lock lock(mutex_);
    decide_ = std::move(decide);
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
  /// Answered or not.
  std::vector<Asked> asked() const {
    const std::scoped_lock lock(mutex_);
    return asked_;
  }
  std::size_t requests() const { return asked().size(); }

 private:
  void accept() {
    for (;;) {
      const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
      if (fd < 0) return;
      connections_.emplace_back([this, fd] {
        serve(fd);
        ::close(fd);
      });
    }
  }

  void serve(int fd) {
    Asked asked;
    std::string received;
    std::size_t end = std::string::npos;
    std::size_t length = 0;
    while (end == std::string::npos || received.size() < end + 4 + length) {
      char buffer[4096];
      const ssize_t count = ::read(fd, buffer, sizeof buffer);
      if (count <= 0) return;
      received.append(buffer, static_cast<std::size_t>(count));
      end = received.find("\r\n\r\n");
      const auto field = received.find("Content-Length: ");
      if (field != std::string::npos) length = std::stoul(received.substr(field + 16));
    }
    asked.head = received.substr(0, end + 2);
    asked.body = received.substr(end + 4);
    Reply reply;
    {
      std::unique_lock lock(mutex_);
      asked_.push_back(asked);
      changed_.wait(lock, [this] { return !held_; });
      if (stopping_) return;
      reply = decide_(asked);
    }
    const std::string text = "HTTP/1.1 " + std::to_string(reply.status) + " Decided\r\nConnection: close\r\n" +
                             "Content-Type: application/json\r\nContent-Length: " + std::to_string(reply.body.size()) +
                             "\r\n" + reply.fields + "\r\n" + reply.body;
    for (std::size_t sent = 0; sent < text.size();) {
      const ssize_t count = ::send(fd, text.data() + sent, text.size() - sent, MSG_NOSIGNAL);
      if (count <= 0) return;
      sent += static_cast<std::size_t>(count);
    }
  }

  int listener_ = -1;
  int port_ = 0;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  Decide decide_;
  bool held_ = false;
  bool stopping_ = false;
  std::vector<Asked> asked_;
  std::thread acceptor_;
  std::vector<std::thread> connections_;
};

}  // namespace sallyport::auth::testing
