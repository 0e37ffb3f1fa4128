#include "sallyport/gateway/shard.h"

#include <sys/socket.h>

#include <cerrno>
#include <cstring>

#include "sallyport/gateway/connection.h"
#include "sallyport/gateway/counted_store.h"

namespace sallyport::gateway {
namespace {

constexpr int accepts_per_turn = 64;
constexpr auto pause_when_out_of_descriptors = std::chrono::milliseconds(100);

}  // namespace

void report_bug(Shared& shared, std::exception_ptr bug) {
  Event event(shared.log, shared.clock.wall(), Level::error, "internal.bug");
  try {
    std::rethrow_exception(bug);
  } catch (const std::exception& known) {
    event.text("detail", known.what());
  } catch (...) {
    event.text("detail", "of an unknown kind");
  }
}

Shard::Shard(Shared& everybodys, store::Backend& backend, std::shared_ptr<const Snapshot> first)
    : shared(everybodys),
      snapshot(std::move(first)),
      sessions(everybodys.revocations, everybodys.limits),
      loop_(everybodys.clock),
      http_(loop_),
      store_(std::make_unique<CountedStore>(backend.open(loop_), metrics.store_calls)),
      rechecks_(*this) {
  loop_.on_escaped_exception([this](std::exception_ptr bug) {
    metrics.bugs.add();
    report_bug(shared, bug);
  });
}

Shard::~Shard() {
  stop();
  loop_.cancel_tasks();
}

void Shard::stop() {
  if (!thread_.joinable()) return;
  loop_.stop();
  thread_.join();
}

void Shard::start(std::vector<net::Fd> listeners) {
  for (std::size_t i = 0; i < listeners.size(); ++i) loop_.spawn(accept_from(i, std::move(listeners[i])));
  rechecks_.start();
  thread_ = std::thread([this] { loop_.run(); });
}

void Shard::stop_accepting() {
  for (net::Waiter* acceptor : acceptors_) acceptor->interrupt(Error{Reason::server_draining, "draining"});
}

net::Task<void> Shard::accept_from(std::size_t index, net::Fd listener) {
  net::Waiter waiter(loop_);
  net::Readiness readiness(loop_, listener.get());
  readiness.attach(waiter.wake(), net::Waiter::readable, net::Waiter::writable);
  acceptors_.push_back(&waiter);
  while (!waiter.interruption()) {
    int accepted = 0;
    for (; accepted < accepts_per_turn; ++accepted) {
      sockaddr_storage address{};
      socklen_t length = sizeof address;
      net::Fd fd(
          ::accept4(listener.get(), reinterpret_cast<sockaddr*>(&address), &length, SOCK_NONBLOCK | SOCK_CLOEXEC));
      if (!fd) break;
      metrics.sockets_accepted.add();
      accept_connection(*this, index, std::move(fd),
                        net::Endpoint::from(reinterpret_cast<sockaddr*>(&address), length));
    }
    if (accepted < accepts_per_turn && (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)) {
      metrics.refused[static_cast<std::size_t>(Reason::server_overloaded)].add();
      Event(shared.log, loop_.wall(), Level::error, "listener.exhausted").text("detail", std::strerror(errno));
      readiness.pause_reading();
      co_await loop_.sleep_until(loop_.now() + pause_when_out_of_descriptors);
      readiness.resume_reading();
    }
    co_await waiter.wake().next();
  }
  std::erase(acceptors_, &waiter);
}

}  // namespace sallyport::gateway
