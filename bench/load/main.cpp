// What does a server spend on a message, a handshake, an idle connection, an end of many at once? Makes that load over
// TLS or plain, checks every byte that comes back, and reads the CPU time of the processes it is told to watch exactly at
// the start and the end of the measured time. Takes commands from standard input, a line each, and answers each with a
// line of JSON, so that connections live on between two measurements; see usage() below.
#include <csignal>
#include <cstring>
#include <fstream>
#include <iostream>
#include <iterator>
#include <sstream>

#include "die.h"
#include "load.h"

namespace {

using namespace sallyport::bench;

[[noreturn]] void usage() {
  std::fputs(
      "usage: bench_load --port N [options]\n"
      "  --plain                 no TLS                     --address IP   127.0.0.1\n"
      "  --host NAME --path P --origin O                    what the upgrade says\n"
      "  --token-file FILE       shows its line; of several lines each connection shows another\n"
      "  --sign ALG FILE         signs a token for each connection: ES256, EdDSA, RS256, HS256\n"
      "  --resume                resumes TLS sessions (handshakes)\n"
      "  --status CODE           the answer that each upgrade must get (101)\n"
      "  --records               JSON with much structure instead of one long text\n"
      "commands on standard input:\n"
      "  open COUNT\n"
      "  messages SIZE IN_FLIGHT WARMUP SECONDS [PID...]\n"
      "  rate SIZE PER_SECOND WARMUP SECONDS [PID...]\n"
      "  handshakes AT_A_TIME WARMUP SECONDS [PID...]\n"
      "  send SIZE IN_FLIGHT COUNT         exactly so many messages\n"
      "  connect AT_A_TIME COUNT           exactly so many handshakes\n"
      "  revoke ADMIN_PORT REQUEST_FILE [PID...]\n"
      "  ready PATIENCE\n"
      "  token                   prints one\n",
      stderr);
  std::exit(2);
}

std::string read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

Options parse_arguments(int count, char** arguments) {
  Options options;
  for (int i = 1; i < count; ++i) {
    const std::string_view name = arguments[i];
    const auto value = [&] {
      if (i + 1 == count) usage();
      return arguments[++i];
    };
    if (name == "--plain") {
      options.tls = false;
    } else if (name == "--resume") {
      options.resume = true;
    } else if (name == "--records") {
      options.shape = Shape::records;
    } else if (name == "--port") {
      options.port = std::atoi(value());
    } else if (name == "--address") {
      options.address = value();
    } else if (name == "--host") {
      options.host = value();
    } else if (name == "--path") {
      options.path = value();
    } else if (name == "--origin") {
      options.origin = value();
    } else if (name == "--token-file") {
      options.tokens = std::make_unique<ListedTokens>(value());
    } else if (name == "--status") {
      options.status = value();
    } else if (name == "--sign") {
      const std::string_view algorithm = value();
      options.tokens = std::make_unique<FreshTokens>(algorithm, value());
    } else {
      usage();
    }
  }
  if (options.port == 0) usage();
  return options;
}

/// The numbers that a command begins with; what follows are processes to watch.
template <std::size_t count>
std::array<double, count> numbers(std::istringstream& words) {
  std::array<double, count> found{};
  for (double& each : found) {
    if (!(words >> each)) die("a command lacks a number");
  }
  return found;
}

void obey(Load& load, const std::string& line) {
  std::istringstream words(line);
  std::string verb;
  words >> verb;
  const auto watched = [&] { return std::vector<int>(std::istream_iterator<int>(words), {}); };
  if (verb == "token") {
    if (load.options.tokens == nullptr) die("no token to show");
    std::printf("{\"token\": \"%s\"}\n", load.options.tokens->next().value_or("").c_str());
    std::fflush(stdout);
  } else if (verb == "open") {
    const auto [count] = numbers<1>(words);
    load.open(static_cast<std::size_t>(count));
  } else if (verb == "messages") {
    const auto [size, in_flight, warmup, seconds] = numbers<4>(words);
    if (size < Payload::smallest) die("a message has 64 bytes at least");
    load.messages(static_cast<std::size_t>(size), static_cast<std::size_t>(in_flight), warmup, seconds, watched());
  } else if (verb == "rate") {
    const auto [size, rate, warmup, seconds] = numbers<4>(words);
    load.rate(static_cast<std::size_t>(size), rate, warmup, seconds, watched());
  } else if (verb == "handshakes") {
    const auto [at_a_time, warmup, seconds] = numbers<3>(words);
    load.handshakes(static_cast<std::size_t>(at_a_time), warmup, seconds, watched());
  } else if (verb == "send") {
    const auto [size, in_flight, messages] = numbers<3>(words);
    if (size < Payload::smallest) die("a message has 64 bytes at least");
    load.send_exactly(static_cast<std::size_t>(size), static_cast<std::size_t>(in_flight),
                      static_cast<std::uint64_t>(messages));
  } else if (verb == "connect") {
    const auto [at_a_time, handshakes] = numbers<2>(words);
    load.connect_exactly(static_cast<std::size_t>(at_a_time), static_cast<std::uint64_t>(handshakes));
  } else if (verb == "revoke") {
    int port = 0;
    std::string file;
    words >> port >> file;
    load.revoke(port, read_file(file), watched());
  } else if (verb == "ready") {
    const auto [patience] = numbers<1>(words);
    load.ready(patience);
  } else {
    die("no such command: " + line);
  }
}

}  // namespace

int main(int count, char** arguments) {
  std::signal(SIGPIPE, SIG_IGN);
  Load load(parse_arguments(count, arguments));
  for (std::string line; std::getline(std::cin, line);) obey(load, line);
  return 0;
}
