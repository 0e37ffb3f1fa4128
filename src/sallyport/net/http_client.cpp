#include "sallyport/net/http_client.h"

#include <curl/curl.h>
#include <sys/epoll.h>

#include <map>
#include <mutex>
#include <set>

namespace sallyport::net {
namespace {

// A transfer in progress; lives in the frame of fetch().
struct Transfer {
  Wake* wake;
  CURL* easy = nullptr;
  curl_slist* headers = nullptr;
  HttpResponse response;
  std::size_t max_body = 0;
  CURLcode code = CURLE_OK;
  bool finished = false;
  char error[CURL_ERROR_SIZE] = "";
};

std::size_t take_body(char* data, std::size_t, std::size_t size, void* self) {
  auto& transfer = *static_cast<Transfer*>(self);
  if (transfer.response.body.size() + size > transfer.max_body) return 0;
  transfer.response.body.append(data, size);
  return size;
}

}  // namespace

// curl asks which sockets and which timer to watch; the loop only notes that they are due, and the driver coroutine tells curl.
struct HttpClient::Multi {
  static constexpr std::uint32_t socket_due = 1;
  static constexpr std::uint32_t timer_due = 2;

  struct Socket final : IoHandler {
    Socket(Multi& owner, curl_socket_t descriptor) : multi(owner), fd(descriptor) {}
    void on_io(std::uint32_t epoll_events) override {
      events |= epoll_events;
      multi.wake.raise(socket_due);
    }
    Multi& multi;
    curl_socket_t fd;
    std::uint32_t events = 0;
    std::uint32_t interest = 0;
  };

  explicit Multi(Loop& owner) : loop(owner), wake(owner), timer(wake, timer_due), handle(curl_multi_init()) {
    curl_multi_setopt(handle, CURLMOPT_SOCKETFUNCTION, &Multi::on_socket);
    curl_multi_setopt(handle, CURLMOPT_SOCKETDATA, this);
    curl_multi_setopt(handle, CURLMOPT_TIMERFUNCTION, &Multi::on_timer);
    curl_multi_setopt(handle, CURLMOPT_TIMERDATA, this);
  }
  ~Multi() {
    curl_multi_cleanup(handle);
    for (auto& [fd, socket] : sockets) {
      if (socket->interest != 0) loop.remove(fd);
    }
  }

  static int on_socket(CURL*, curl_socket_t fd, int what, void* self, void*) {
    auto& multi = *static_cast<Multi*>(self);
    auto found = multi.sockets.find(fd);
    if (what == CURL_POLL_REMOVE) {
      if (found == multi.sockets.end()) return 0;
      if (found->second->interest != 0) multi.loop.remove(fd);
      multi.sockets.erase(found);
      return 0;
    }
    const std::uint32_t interest =
        ((what & CURL_POLL_IN) ? std::uint32_t{EPOLLIN} : 0u) | ((what & CURL_POLL_OUT) ? std::uint32_t{EPOLLOUT} : 0u);
    if (found == multi.sockets.end()) {
      found = multi.sockets.emplace(fd, std::make_unique<Socket>(multi, fd)).first;
      multi.loop.add(fd, interest, *found->second);
    } else {
      multi.loop.modify(fd, interest, *found->second);
    }
    found->second->interest = interest;
    return 0;
  }

  static int on_timer(CURLM*, long milliseconds, void* self) {
    auto& multi = *static_cast<Multi*>(self);
    if (milliseconds < 0) {
      multi.timer.clear();
    } else {
      multi.timer.set(multi.loop.now() + std::chrono::milliseconds(milliseconds));
    }
    return 0;
  }

  void act(curl_socket_t fd, int events) {
    int running = 0;
    curl_multi_socket_action(handle, fd, events, &running);
  }

  void drive(std::uint32_t bits) {
    if (bits & timer_due) act(CURL_SOCKET_TIMEOUT, 0);
    if (bits & socket_due) {
      // curl adds and removes sockets while it is told of one, so the due ones are listed first.
      std::vector<std::pair<curl_socket_t, std::uint32_t>> due;
      for (auto& [fd, socket] : sockets) {
        if (socket->events != 0) due.emplace_back(fd, std::exchange(socket->events, 0));
      }
      for (const auto& [fd, events] : due) {
        if (!sockets.contains(fd)) continue;
        int flags = 0;
        if (events & EPOLLIN) flags |= CURL_CSELECT_IN;
        if (events & EPOLLOUT) flags |= CURL_CSELECT_OUT;
        if (events & (EPOLLERR | EPOLLHUP)) flags |= CURL_CSELECT_ERR;
        act(fd, flags);
      }
    }
    int left = 0;
    while (CURLMsg* message = curl_multi_info_read(handle, &left)) {
      if (message->msg != CURLMSG_DONE) continue;
      Transfer* transfer = nullptr;
      curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &transfer);
      transfer->code = message->data.result;
      transfer->finished = true;
      transfer->wake->raise(Waiter::readable);
    }
  }

  static Task<void> run(Multi& multi) {
    for (;;) multi.drive(co_await multi.wake.next());
  }

  Loop& loop;
  Wake wake;
  Timer timer;
  CURLM* handle;
  std::map<curl_socket_t, std::unique_ptr<Socket>> sockets;
  std::optional<Task<void>> driver;
};

HttpClient::HttpClient(Loop& loop) {
  static std::once_flag once;
  std::call_once(once, [] { curl_global_init(CURL_GLOBAL_DEFAULT); });
  multi_ = std::make_unique<Multi>(loop);
  multi_->driver.emplace(Multi::run(*multi_));
  multi_->driver->start();
}

HttpClient::~HttpClient() = default;

Task<Result<HttpResponse>> HttpClient::fetch(HttpRequest request, Deadline deadline) {
  Waiter waiter(multi_->loop);
  Transfer transfer;
  // Takes the transfer out of curl however this frame ends.
  struct Cleanup {
    Multi& multi;
    Transfer& transfer;
    ~Cleanup() {
      curl_multi_remove_handle(multi.handle, transfer.easy);
      curl_easy_cleanup(transfer.easy);
      curl_slist_free_all(transfer.headers);
    }
  };
  transfer.wake = &waiter.wake();
  transfer.max_body = request.max_body;
  transfer.easy = curl_easy_init();
  SALLYPORT_CHECK(transfer.easy);
  const Cleanup cleanup{*multi_, transfer};
  for (const auto& [name, value] : request.headers) {
    transfer.headers = curl_slist_append(transfer.headers, (name + ": " + value).c_str());
  }
  CURL* easy = transfer.easy;
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline.at - multi_->loop.now()).count();
  curl_easy_setopt(easy, CURLOPT_URL, request.url.c_str());
  curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "https,http");
  curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request.method.c_str());
  curl_easy_setopt(easy, CURLOPT_HTTPHEADER, transfer.headers);
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, static_cast<long>(std::max<std::int64_t>(left, 1)));
  curl_easy_setopt(easy, CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
  curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, transfer.error);
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_body);
  curl_easy_setopt(easy, CURLOPT_WRITEDATA, &transfer);
  curl_easy_setopt(easy, CURLOPT_PRIVATE, &transfer);
  if (!request.ca_file.empty()) curl_easy_setopt(easy, CURLOPT_CAINFO, request.ca_file.c_str());
  if (!request.body.empty()) {
    curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE, static_cast<long>(request.body.size()));
    curl_easy_setopt(easy, CURLOPT_POSTFIELDS, request.body.c_str());
  }
  curl_multi_add_handle(multi_->handle, easy);
  while (!transfer.finished) CO_TRY_OK(co_await waiter.wait_for(Waiter::readable, deadline));
  if (transfer.code == CURLE_OPERATION_TIMEDOUT) co_return Error{deadline.late, request.url + ": no answer in time"};
  if (transfer.code != CURLE_OK) {
    const char* words = transfer.error[0] != '\0' ? transfer.error : curl_easy_strerror(transfer.code);
    co_return Error{Reason::upstream_unavailable, request.url + ": " + words};
  }
  long status = 0;
  const char* type = nullptr;
  curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
  curl_easy_getinfo(easy, CURLINFO_CONTENT_TYPE, &type);
  transfer.response.status = static_cast<int>(status);
  if (type) transfer.response.content_type = type;
  curl_header* field = nullptr;
  if (curl_easy_header(easy, "Cache-Control", 0, CURLH_HEADER, -1, &field) == CURLHE_OK)
    transfer.response.cache_control = field->value;
  co_return std::move(transfer.response);
}

}  // namespace sallyport::net
