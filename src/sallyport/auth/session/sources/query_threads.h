#pragma once

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "sallyport/auth/session/source.h"
#include "sallyport/auth/session/sources/asking.h"

/// Stores whose clients block: each connection has a thread, and what comes while all are busy waits in one bounded queue.
namespace sallyport::auth {

/// One connection to a store.
/// Threads: one, from make to destruction.
class SessionQuery {
 public:
  virtual ~SessionQuery() = default;
  /// The sessions under `keys`, which check_session_key() allows, in their order. Blocks until `deadline` at most.
  /// Errors: `store.unavailable`; the connection is then given up.
  virtual Result<FoundSessions> find(const std::vector<std::string>& keys, Instant deadline) = 0;
};

/// How a connection is opened; blocks until `deadline` at most. Errors: `store.unavailable`.
using OpenSessionQuery = std::function<Result<std::unique_ptr<SessionQuery>>(Instant deadline)>;

/// How long nothing is tried after a failure: longer with each one in a row.
class Backoff {
 public:
  static constexpr std::chrono::milliseconds first{50};
  static constexpr std::chrono::milliseconds longest{2000};

  bool allows(Instant now) const { return now >= until_; }
  Instant over_at() const { return until_; }
  void failed(Instant now) {
    pause_ = pause_.count() == 0 ? first : std::min(pause_ * 2, longest);
    until_ = now + pause_;
  }
  void succeeded() {
    pause_ = {};
    until_ = {};
  }

 private:
  std::chrono::milliseconds pause_{0};
  Instant until_{};
};

/// A source of which `threads` connections answer. While the store cannot be reached, questions are answered at once with what was wrong
/// at the last attempt, and an attempt is made when its time has come.
/// Lifetime: its destruction waits for the query that a thread is at, which its deadline bounds.
class QueryThreads final : public SessionSource {
 public:
  static constexpr std::size_t longest_queue = 1000;

  QueryThreads(std::size_t threads, OpenSessionQuery open);
  ~QueryThreads() override;
  QueryThreads(const QueryThreads&) = delete;
  QueryThreads& operator=(const QueryThreads&) = delete;

  net::Task<Result<FoundSessions>> find_many(std::vector<std::string> keys, net::Loop& here,
                                             net::Deadline deadline) override;

 private:
  struct Job {
    std::vector<std::string> keys;
    Instant deadline;
    std::shared_ptr<Errand<FoundSessions>> errand;
  };

  void enqueue(Job job);
  void serve();
  Result<FoundSessions> ask(std::unique_ptr<SessionQuery>& connection, const Job& job);

  OpenSessionQuery open_;
  std::mutex mutex_;  // guards what follows; never held while anything blocks
  std::condition_variable changed_;
  std::deque<Job> jobs_;
  bool stopping_ = false;
  Backoff backoff_;
  std::string last_failure_;
  std::vector<std::thread> threads_;
};

}  // namespace sallyport::auth
