#pragma once

#include <algorithm>
#include <cstddef>
#include <deque>
#include <limits>
#include <string>
#include <string_view>
#include <utility>

#include "sallyport/net/stream.h"

namespace sallyport::net {

/// A Stream for tests: what it yields is a script, what it is given is kept, and it fails when it is told to. Like a
/// socket it reports readability for as long as there is something to read, and writability once after a write that
/// would have blocked. Threads: the Loop's own.
class ScriptedStream final : public Stream {
 public:
  static constexpr std::size_t unlimited = std::numeric_limits<std::size_t>::max();

  /// Appends to the script. Past its end a read would block. May be called at any time: what is added arrives now.
  ScriptedStream& yield(std::string_view bytes) { return add({IoStatus::ok, std::string(bytes)}); }
  /// One read that would block; the step after it arrives right then.
  ScriptedStream& block() { return add({IoStatus::would_block, {}}); }
  ScriptedStream& end() { return add({IoStatus::end, {}}); }
  ScriptedStream& fail() { return add({IoStatus::failed, {}}); }

  /// A read yields `most` bytes at most; 1 splits at every byte.
  ScriptedStream& split_reads(std::size_t most) {
    longest_read_ = most;
    return *this;
  }
  /// A write takes `most` bytes at most.
  ScriptedStream& split_writes(std::size_t most) {
    longest_write_ = most;
    return *this;
  }
  /// The operation (read or write) that is the `nth` from the start, counted from 1, fails, and all after it.
  ScriptedStream& fail_at(std::size_t nth) {
    fail_at_ = nth;
    return *this;
  }
  /// Writes take `bytes` in all and would then block.
  ScriptedStream& limit_room(std::size_t bytes) {
    room_ = bytes;
    return *this;
  }
  /// The peer has read: `bytes` more can be written.
  void make_room(std::size_t bytes) {
    room_ += bytes;
    if (std::exchange(write_blocked_, false)) raise(writable_);
  }

  const std::string& written() const { return written_; }
  std::string take_written() { return std::exchange(written_, {}); }
  bool finished() const { return finished_; }
  bool reading_paused() const { return paused_; }
  /// Reads and writes so far.
  std::size_t operations() const { return operations_; }
  /// Bytes held: what is left of the script, and what was written and not taken.
  std::size_t memory() const {
    std::size_t sum = written_.capacity();
    for (const Step& step : script_) sum += step.bytes.capacity();
    return sum;
  }
  /// Whether all of the script has been read.
  bool exhausted() const { return script_.empty(); }

  IoResult read(MutableBytes into) override {
    if (++operations_ >= fail_at_) return fail_now();
    if (script_.empty()) return {IoStatus::would_block};
    Step& step = script_.front();
    IoResult result{step.status, 0};
    switch (step.status) {
      case IoStatus::ok: {
        const std::size_t count = std::min({step.bytes.size() - taken_, into.size(), longest_read_});
        std::copy_n(step.bytes.data() + taken_, count, into.begin());
        taken_ += count;
        result.bytes = count;
        if (taken_ == step.bytes.size()) drop_step();
        break;
      }
      case IoStatus::would_block:
        drop_step();
        break;
      case IoStatus::end:  // and every later read says so too
      case IoStatus::failed:
        return result;
    }
    report_readable();
    return result;
  }

  IoResult write(Bytes from) override {
    if (++operations_ >= fail_at_ || finished_) return fail_now();
    const std::size_t count = std::min({from.size(), room_, longest_write_});
    if (count == 0) {
      write_blocked_ = true;
      return {IoStatus::would_block};
    }
    written_ += text_of(from.first(count));
    if (room_ != unlimited) room_ -= count;
    return {IoStatus::ok, count};
  }

  void finish() override { finished_ = true; }

  void attach(Wake& wake, std::uint32_t readable, std::uint32_t writable) override {
    wake_ = &wake;
    readable_ = readable;
    writable_ = writable;
    report_readable();
  }
  void pause_reading() override { paused_ = true; }
  void resume_reading() override {
    paused_ = false;
    report_readable();
  }

 private:
  struct Step {
    IoStatus status;
    std::string bytes;
  };

  ScriptedStream& add(Step step) {
    if (step.status == IoStatus::ok && step.bytes.empty()) return *this;
    script_.push_back(std::move(step));
    report_readable();
    return *this;
  }
  void drop_step() {
    script_.pop_front();
    taken_ = 0;
  }
  void raise(std::uint32_t bits) {
    if (wake_) wake_->raise(bits);
  }
  void report_readable() {
    if (!paused_ && !script_.empty()) raise(readable_);
  }
  IoResult fail_now() {
    fail_at_ = 0;
    raise(readable_ | writable_);
    return {IoStatus::failed};
  }

  std::deque<Step> script_;
  std::size_t taken_ = 0;
  std::size_t longest_read_ = unlimited;
  std::size_t longest_write_ = unlimited;
  std::size_t fail_at_ = unlimited;
  std::size_t room_ = unlimited;
  std::size_t operations_ = 0;
  std::string written_;
  bool finished_ = false;
  bool paused_ = false;
  bool write_blocked_ = false;
  Wake* wake_ = nullptr;
  std::uint32_t readable_ = 0;
  std::uint32_t writable_ = 0;
};

}  // namespace sallyport::net
