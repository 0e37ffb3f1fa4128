#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <csignal>

#include "sallyport/admin/server.h"
#include "sallyport/cli/configuration.h"
#include "sallyport/cli/console.h"
#include "sallyport/cli/verbs.h"
#include "sallyport/gateway/gateway.h"
#include "sallyport/net/log_writer.h"

namespace sallyport::cli {
namespace {

constexpr int signals_handled[] = {SIGTERM, SIGINT, SIGHUP};

/// Takes the signals away from every thread that is started later, so that they can be read as data on the control loop.
net::Fd take_signals() {
  sigset_t set;
  sigemptyset(&set);
  for (const int number : signals_handled) sigaddset(&set, number);
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
  return net::Fd(::signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC));
}

// Every connection costs two descriptors; the soft limit is a leftover of select(2).
void raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  (void)::setrlimit(RLIMIT_NOFILE, &limit);
}

void report_dangers(Log& log, const Clock& clock, const std::vector<config::Danger>& dangers) {
  for (const config::Danger& danger : dangers) {
    Event(log, clock.wall(), Level::warning, "dangerous.setting")
        .text("name", danger.name)
        .text("path", danger.path)
        .text("meaning", danger.doc);
  }
}

class Process {
 public:
  Process(gateway::Gateway& gateway, std::string file, config::Environment environment, Log& log)
      : gateway_(gateway),
        loop_(gateway.control()),
        file_(std::move(file)),
        environment_(std::move(environment)),
        log_(log) {}

  net::Task<void> obey(net::Fd signals) {
    net::Waiter waiter(loop_);
    net::Readiness readiness(loop_, signals.get());
    readiness.attach(waiter.wake(), net::Waiter::readable, net::Waiter::writable);
    for (;;) {
      co_await waiter.wake().next();
      signalfd_siginfo info{};
      while (::read(signals.get(), &info, sizeof info) == static_cast<ssize_t>(sizeof info)) {
        if (info.ssi_signo == static_cast<std::uint32_t>(SIGHUP)) {
          reload();
        } else if (gateway_.draining()) {
          Event(log_, loop_.wall(), Level::warning, "drain.cut_short");
          loop_.stop();
        } else {
          loop_.spawn(gateway_.drain());
        }
      }
    }
  }

 private:
  void reload() {
    Configuration loaded = load_configuration(file_, environment_);
    if (!loaded.reading.ok()) return reject(loaded.reading.problems.text());
    const Result<void> reloaded = gateway_.reload(std::move(loaded.reading.config));
    if (!reloaded.ok()) return reject(reloaded.error().detail);
    report_dangers(log_, loop_.clock(), loaded.reading.dangers);
    Event(log_, loop_.wall(), Level::info, "config.reloaded").text("file", file_);
  }

  void reject(const std::string& why) {
    Event(log_, loop_.wall(), Level::error, "config.rejected").text("file", file_).text("problems", why);
  }

  gateway::Gateway& gateway_;
  net::Loop& loop_;
  std::string file_;
  config::Environment environment_;
  Log& log_;
};

int serve(const Arguments& arguments) {
  const std::string file = *arguments.find("--config");
  const config::Environment environment = config::process_environment();
  Configuration loaded = load_configuration(file, environment);
  if (!loaded.reading.ok()) {
    complain("the configuration is refused:\n" + loaded.reading.problems.text());
    return exit_misused;
  }
  raise_descriptor_limit();
  net::Fd signals = take_signals();
  const SystemClock clock;
  net::LogWriter log(STDOUT_FILENO, clock);
  report_dangers(log, clock, loaded.reading.dangers);
  auto gateway = gateway::Gateway::open(std::move(loaded.reading.config), environment, log, clock);
  if (!gateway.ok()) return complain(gateway.error());
  gateway::Gateway& running = **gateway;
  const auto report_listener = [&](const net::Endpoint& at, std::string_view name) {
    Event(log, clock.wall(), Level::info, "listening").text("address", at.text()).text("name", name);
  };
  const auto& addresses = running.addresses();
  for (std::size_t i = 0; i < addresses.size(); ++i) report_listener(addresses[i], "listen[" + std::to_string(i) + "]");
  if (running.snapshot()->settings.admin) {
    const Result<net::Endpoint> admin = admin::start_server(running);
    if (!admin.ok()) return complain(admin.error());
    report_listener(*admin, "admin");
  }
  Process process(running, file, environment, log);
  running.control().spawn(process.obey(std::move(signals)));
  running.control().post([&] { Event(log, clock.wall(), Level::info, "ready"); });
  running.run();
  gateway->reset();
  Event(log, clock.wall(), Level::info, "stopped");
  return exit_good;
}

}  // namespace

Verb serve_verb() {
  return {.name = "serve",
          .line = "Runs the gateway.",
          .flags = {{"--config", "FILE", "The configuration.", Times::needed}},
          .details =
              "Logs one JSON object per line to standard output. SIGTERM and SIGINT drain: no new connections, the "
              "live ones "
              "are told to come\nback, exit status 0; a second one ends at once. SIGHUP reads the configuration again: "
              "a bad "
              "one is refused and the present\none stays.",
          .example = "sallyport serve --config sallyport.yaml",
          .run = serve};
}

}  // namespace sallyport::cli
