#include "sallyport/net/pipeline.h"

#include <algorithm>
#include <array>

namespace sallyport::net {

Pipeline::Pipeline(Loop& loop, Open open, Measure measure)
    : loop_(loop), open_(std::move(open)), measure_(std::move(measure)), wake_(loop), timer_(wake_, due) {
  driver_.emplace(run());
  driver_->start();
}

Pipeline::~Pipeline() = default;

Task<Result<std::vector<std::string>>> Pipeline::call(std::string requests, std::size_t answers, Deadline deadline) {
  struct Leaver {
    Batch& batch;
    ~Leaver() { batch.waiting = nullptr; }
  };
  if (queue_.size() >= longest_queue) co_return Error{Reason::store_unavailable, "too many requests wait"};
  Waiter waiter(loop_);
  auto batch = std::make_shared<Batch>(
      Batch{std::move(requests), answers, deadline.at, {}, std::nullopt, &waiter.wake(), answers == 0});
  const Leaver leaver{*batch};
  if (!batch->done) {
    queue_.push_back(batch);
    wake_.raise(work);
  }
  while (!batch->done) CO_TRY_OK(co_await waiter.wait_for(Waiter::readable, deadline));
  if (batch->error) co_return *batch->error;
  co_return std::move(batch->received);
}

void Pipeline::settle(Batch& batch) {
  batch.done = true;
  if (batch.waiting) batch.waiting->raise(Waiter::readable);
}

void Pipeline::fail(std::deque<std::shared_ptr<Batch>>& batches, const Error& error) {
  for (const auto& batch : batches) {
    batch->error = error;
    settle(*batch);
  }
  batches.clear();
}

Task<void> Pipeline::run() {
  for (;;) {
    while (queue_.empty()) (void)(co_await wake_.next());
    if (loop_.now() < not_before_) {
      fail(queue_, *last_error_);
      continue;
    }
    auto opening = open_({loop_.now() + open_timeout, Reason::store_unavailable});
    Result<std::unique_ptr<Stream>> stream = co_await opening;
    if (stream.ok()) {
      pause_ = std::chrono::milliseconds(0);
      auto conversing = converse(**stream);
      last_error_ = co_await conversing;
    } else {
      last_error_ = Error{Reason::store_unavailable, stream.error().detail};
    }
    timer_.clear();
    outgoing_.clear();
    incoming_.clear();
    // One that ends while it is idle is opened again at once when it is needed.
    const bool was_needed = !stream.ok() || !under_way_.empty();
    fail(under_way_, *last_error_);
    if (!was_needed) continue;
    fail(queue_, *last_error_);
    pause_ = pause_.count() == 0 ? first_pause : std::min(pause_ * 2, longest_pause);
    not_before_ = loop_.now() + pause_;
  }
}

Task<Error> Pipeline::converse(Stream& stream) {
  stream.attach(wake_, readable, writable);
  std::array<Byte, 16 * 1024> bytes;
  for (;;) {
    for (; !queue_.empty(); queue_.pop_front()) {
      // Nobody waits for it any more, and it was not sent yet.
      if (!queue_.front()->waiting) continue;
      outgoing_ += queue_.front()->requests;
      under_way_.push_back(std::move(queue_.front()));
    }
    while (!outgoing_.empty()) {
      const IoResult written = stream.write(bytes_of(outgoing_));
      if (written.status == IoStatus::would_block) break;
      if (written.status != IoStatus::ok) co_return Error{Reason::store_unavailable, "the connection was lost"};
      outgoing_.erase(0, written.bytes);
    }
    for (;;) {
      const IoResult read = stream.read(bytes);
      if (read.status == IoStatus::would_block) break;
      if (read.status != IoStatus::ok) co_return Error{Reason::store_unavailable, "the connection was lost"};
      incoming_.append(text_of(Bytes(bytes).first(read.bytes)));
      if (incoming_.size() > largest_backlog) co_return Error{Reason::store_unavailable, "an answer without an end"};
      if (read.bytes == bytes.size()) continue;
      if (const Result<void> taken = take_answers(); !taken.ok())
        co_return Error{Reason::store_unavailable, taken.error().detail};
    }
    if (const Result<void> taken = take_answers(); !taken.ok())
      co_return Error{Reason::store_unavailable, taken.error().detail};
    if (under_way_.empty()) {
      timer_.clear();
    } else {
      timer_.set(under_way_.front()->deadline);
    }
    const std::uint32_t bits = co_await wake_.next();
    if ((bits & due) != 0 && !under_way_.empty() && loop_.now() >= under_way_.front()->deadline)
      co_return Error{Reason::store_unavailable, "no answer in time"};
  }
}

Result<void> Pipeline::take_answers() {
  std::size_t taken = 0;
  const std::string_view all = incoming_;
  Result<void> outcome;
  while (taken < all.size()) {
    const Result<std::size_t> size = measure_(all.substr(taken));
    if (!size.ok()) {
      outcome = size.error();
      break;
    }
    if (*size == 0) break;
    if (under_way_.empty()) {
      outcome = Error{Reason::store_unavailable, "an answer that nobody asked for"};
      break;
    }
    Batch& batch = *under_way_.front();
    batch.received.emplace_back(all.substr(taken, *size));
    taken += *size;
    if (batch.received.size() == batch.answers) {
      settle(batch);
      under_way_.pop_front();
    }
  }
  incoming_.erase(0, taken);
  return outcome;
}

}  // namespace sallyport::net
