#include "sallyport/net/log_writer.h"

#include <doctest/doctest.h>
#include <unistd.h>

#include <string>

namespace sallyport::net {
namespace {

std::string read_to_end(int fd) {
  std::string text;
  char piece[65536];
  for (ssize_t count; (count = ::read(fd, piece, sizeof piece)) > 0;)
    text.append(piece, static_cast<std::size_t>(count));
  return text;
}

struct Pipe {
  Pipe() { REQUIRE(::pipe(ends) == 0); }
  ~Pipe() {
    ::close(ends[0]);
    close_writing();
  }
  void close_writing() {
    if (ends[1] >= 0) ::close(ends[1]);
    ends[1] = -1;
  }
  int ends[2];
};

TEST_CASE("log writer: every line arrives, in order, before its end") {
  const FakeClock clock;
  Pipe pipe;
  {
    LogWriter log(pipe.ends[1], clock);
    for (int i = 0; i < 100; ++i) log.write(std::to_string(i) + "\n");
  }
  pipe.close_writing();
  std::string expected;
  for (int i = 0; i < 100; ++i) expected += std::to_string(i) + "\n";
  CHECK(read_to_end(pipe.ends[0]) == expected);
}

TEST_CASE("log writer: a reader that does not read holds up nobody, and learns what it missed") {
  const FakeClock clock;
  Pipe pipe;
  const std::string line(999, 'x');
  std::uint64_t dropped = 0;
  std::string text;
  {
    LogWriter log(pipe.ends[1], clock, 10'000);
    // More than the pipe and the queue hold together; write() returns all the same.
    for (int i = 0; i < 1000; ++i) log.write(line + "\n");
    dropped = log.dropped();
    CHECK(dropped > 0);
    // Now it reads.
    char piece[65536];
    while (text.find("log.dropped") == std::string::npos) {
      const ssize_t count = ::read(pipe.ends[0], piece, sizeof piece);
      REQUIRE(count > 0);
      text.append(piece, static_cast<std::size_t>(count));
    }
  }
  pipe.close_writing();
  text += read_to_end(pipe.ends[0]);
  // It may be told in several lines; they add up.
  const std::string told = R"("event":"log.dropped","lines":)";
  std::uint64_t sum = 0;
  for (std::size_t at = text.find(told); at != std::string::npos; at = text.find(told, at + 1)) {
    sum += std::stoull(text.substr(at + told.size()));
  }
  CHECK(sum == dropped);
}

}  // namespace
}  // namespace sallyport::net
