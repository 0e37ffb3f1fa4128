#include "sallyport/net/log_writer.h"

#include <unistd.h>

#include <cerrno>
#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>
#include <utility>

namespace sallyport::net {
namespace {

constexpr auto longest_end = std::chrono::seconds(2);
// A line waits this long for others: one wake-up and one write for each would cost a busy gateway more than the lines.
constexpr auto gathering = std::chrono::milliseconds(10);
constexpr std::size_t enough = 64 * 1024;

void write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t count = ::write(fd, text.data(), text.size());
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return;  // nobody reads any more: the gateway does not stop for its log
    text.remove_prefix(static_cast<std::size_t>(count));
  }
}

}  // namespace

struct LogWriter::State {
  State(int descriptor, const Clock& its_clock, std::size_t limit) : fd(descriptor), clock(its_clock), most(limit) {}
  const int fd;
  const Clock& clock;
  const std::size_t most;
  std::mutex mutex;
  std::condition_variable changed;
  std::string queued;
  std::uint64_t dropped = 0;
  std::uint64_t dropped_told = 0;
  bool ending = false;
  bool ended = false;
};

LogWriter::LogWriter(int fd, const Clock& clock, std::size_t most) : state_(std::make_shared<State>(fd, clock, most)) {
  std::thread([state = state_] { run(state); }).detach();
}

LogWriter::~LogWriter() {
  std::unique_lock lock(state_->mutex);
  state_->ending = true;
  state_->changed.notify_all();
  state_->changed.wait_for(lock, longest_end, [this] { return state_->ended; });
}

void LogWriter::write(std::string_view line) {
  bool tell = false;
  {
    const std::scoped_lock lock(state_->mutex);
    const std::size_t before = state_->queued.size();
    if (before + line.size() > state_->most) {
      ++state_->dropped;
      return;
    }
    state_->queued += line;
    tell = before == 0 || (before < enough && state_->queued.size() >= enough);
  }
  if (tell) state_->changed.notify_all();
}

std::uint64_t LogWriter::dropped() const {
  const std::scoped_lock lock(state_->mutex);
  return state_->dropped;
}

void LogWriter::run(const std::shared_ptr<State>& state) {
  // Makes the line about what was dropped in the words of every other event.
  struct Line final : Log {
    void write(std::string_view text) override { line = text; }
    std::string line;
  };
  std::unique_lock lock(state->mutex);
  for (;;) {
    state->changed.wait(lock, [&] { return state->ending || !state->queued.empty(); });
    state->changed.wait_for(lock, gathering, [&] { return state->ending || state->queued.size() >= enough; });
    if (state->queued.empty()) break;
    std::string text = std::exchange(state->queued, {});
    if (state->dropped != state->dropped_told) {
      Line line;
      Event(line, state->clock.wall(), Level::error, "log.dropped")
          .number("lines", static_cast<std::int64_t>(state->dropped - state->dropped_told));
      state->dropped_told = state->dropped;
      text += line.line;
    }
    lock.unlock();
    write_all(state->fd, text);
    lock.lock();
  }
  state->ended = true;
  state->changed.notify_all();
}

}  // namespace sallyport::net
