#include "sallyport/auth/session/sources/query_threads.h"

#include <exception>

namespace sallyport::auth {

QueryThreads::QueryThreads(std::size_t threads, OpenSessionQuery open) : open_(std::move(open)) {
  for (std::size_t i = 0; i < threads; ++i) threads_.emplace_back([this] { serve(); });
}

QueryThreads::~QueryThreads() {
  {
    const std::scoped_lock lock(mutex_);
    stopping_ = true;
    jobs_.clear();
  }
  changed_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

net::Task<Result<FoundSessions>> QueryThreads::find_many(std::vector<std::string> keys, net::Loop& here,
                                                         net::Deadline deadline) {
  return find_by(
      [this](std::vector<std::string> asked, Duration left, std::shared_ptr<Errand<FoundSessions>> errand) {
        // The caller's clock may be another than the threads'.
        enqueue({std::move(asked), std::chrono::steady_clock::now() + left, std::move(errand)});
      },
      std::move(keys), here, deadline);
}

void QueryThreads::enqueue(Job job) {
  {
    const std::scoped_lock lock(mutex_);
    if (jobs_.size() >= longest_queue) {
      job.errand->answer(Error{Reason::store_unavailable, "too many questions wait for the store of sessions"});
      return;
    }
    jobs_.push_back(std::move(job));
  }
  changed_.notify_one();
}

void QueryThreads::serve() {
  std::unique_ptr<SessionQuery> connection;
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [this] { return stopping_ || !jobs_.empty(); });
    if (stopping_) return;
    Job job = std::move(jobs_.front());
    jobs_.pop_front();
    lock.unlock();
    if (!job.errand->is_abandoned() && std::chrono::steady_clock::now() < job.deadline) {
      try {
        job.errand->answer(ask(connection, job));
      } catch (const std::exception& bug) {
        // It costs the question that met it, and the connection that may be in any state.
        job.errand->answer(Error{Reason::store_unavailable, std::string("a bug in the source: ") + bug.what()});
        connection.reset();
      }
    }
    lock.lock();
  }
}

Result<FoundSessions> QueryThreads::ask(std::unique_ptr<SessionQuery>& connection, const Job& job) {
  // A connection may have died while nobody used it, which only its next use tells: that is worth a second attempt.
  for (const bool had_connection : {connection != nullptr, false}) {
    if (!connection) {
      {
        const std::scoped_lock lock(mutex_);
        if (!backoff_.allows(std::chrono::steady_clock::now())) return Error{Reason::store_unavailable, last_failure_};
      }
      Result<std::unique_ptr<SessionQuery>> opened = open_(job.deadline);
      const std::scoped_lock lock(mutex_);
      if (!opened.ok()) {
        backoff_.failed(std::chrono::steady_clock::now());
        last_failure_ = opened.error().detail;
        return std::move(opened).error();
      }
      backoff_.succeeded();
      connection = std::move(opened).value();
    }
    Result<FoundSessions> found = connection->find(job.keys, job.deadline);
    if (found.ok()) return found;
    connection.reset();
    if (had_connection && std::chrono::steady_clock::now() < job.deadline) continue;
    const std::scoped_lock lock(mutex_);
    backoff_.failed(std::chrono::steady_clock::now());
    last_failure_ = found.error().detail;
    return found;
  }
  SALLYPORT_CHECK(false);
  return Error{Reason::store_unavailable, ""};
}

}  // namespace sallyport::auth
