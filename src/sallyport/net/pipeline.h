#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sallyport/net/stream.h"

/// Requests and answers in order on one connection, as Redis and memcached have them: many may be under way, and the nth answer belongs
/// to the nth request.
namespace sallyport::net {

/// A connection that is opened when it is needed, and anew after it was lost. Between attempts that fail lies a pause, which grows; in it
/// requests fail at once.
/// Threads:  the Loop's own. Lifetime: destroyed before its Loop; tasks under way must not be resumed after that.
class Pipeline {
 public:
  /// How long the first answer that is complete in `bytes` is; 0 while none is. Errors: what comes cannot be an answer.
  using Measure = std::function<Result<std::size_t>(std::string_view bytes)>;
  /// Connects and says who we are. Errors: whatever is wrong; the words go to operators.
  using Open = std::function<Task<Result<std::unique_ptr<Stream>>>(Deadline deadline)>;

  static constexpr std::chrono::milliseconds first_pause{50};
  static constexpr std::chrono::milliseconds longest_pause{2000};
  static constexpr std::chrono::seconds open_timeout{5};
  static constexpr std::size_t longest_queue = 1000;
  static constexpr std::size_t largest_backlog =
      64 * 1024 * 1024;  ///< bytes of answers that nobody has taken apart yet

  Pipeline(Loop& loop, Open open, Measure measure);
  ~Pipeline();
  Pipeline(const Pipeline&) = delete;
  Pipeline& operator=(const Pipeline&) = delete;

  /// Sends `requests`, which are `answers` in number, and collects their answers as they came.
  /// Errors:   `store.unavailable` with what was wrong; `deadline.late`, after which the connection counts as lost, since whoever does
  ///           not answer one does not answer those behind it either.
  /// Suspends: until the last answer or `deadline`.
  Task<Result<std::vector<std::string>>> call(std::string requests, std::size_t answers, Deadline deadline);

 private:
  static constexpr std::uint32_t readable = 1;
  static constexpr std::uint32_t writable = 2;
  static constexpr std::uint32_t due = 4;
  static constexpr std::uint32_t work = 8;

  struct Batch {
    std::string requests;
    std::size_t answers;
    Instant deadline;
    std::vector<std::string> received;
    std::optional<Error> error;
    Wake* waiting;  // null: the caller has left
    bool done = false;
  };

  Task<void> run();
  Task<Error> converse(Stream& stream);
  Result<void> take_answers();
  void fail(std::deque<std::shared_ptr<Batch>>& batches, const Error& error);
  static void settle(Batch& batch);

  Loop& loop_;
  Open open_;
  Measure measure_;
  Wake wake_;
  Timer timer_;
  std::deque<std::shared_ptr<Batch>> queue_;
  std::deque<std::shared_ptr<Batch>> under_way_;
  std::string outgoing_;
  std::string incoming_;
  std::chrono::milliseconds pause_{0};
  Instant not_before_{};
  std::optional<Error> last_error_;
  std::optional<Task<void>> driver_;
};

}  // namespace sallyport::net
