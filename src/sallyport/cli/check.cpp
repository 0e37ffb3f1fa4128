#include "sallyport/base/json.h"
#include "sallyport/cli/configuration.h"
#include "sallyport/cli/console.h"
#include "sallyport/cli/verbs.h"
#include "sallyport/gateway/snapshot.h"

namespace sallyport::cli {
namespace {

using gateway::Settings;

/// What the world has to say: every certificate, key, secret and name is tried, so that all that is wrong is told at once.
class World {
 public:
  World(config::Reading<Settings>& reading, config::Environment environment)
      : settings_(reading.config), check_(reading.check()), environment_(std::move(environment)), loop_(clock_) {}

  void check() {
    for (std::size_t i = 0; i < settings_.listen.size(); ++i) {
      if (settings_.listen[i].tls) check_tls(*settings_.listen[i].tls, "listen[" + std::to_string(i) + "].tls");
    }
    if (settings_.admin) {
      if (settings_.admin->tls) check_tls(*settings_.admin->tls, "admin.tls");
      judge("admin.token", config::load_secret(settings_.admin->token, environment_));
    }
    check_assertion();
    for (std::size_t i = 0; i < settings_.issuers.size(); ++i) {
      judge("issuers[" + std::to_string(i) + "].keys", auth::make_issuer(settings_.issuers[i], environment_, loop_));
    }
    for (std::size_t i = 0; i < settings_.routes.size(); ++i) {
      judge("routes[" + std::to_string(i) + "].upstream",
            gateway::UpstreamPool::make(settings_.routes[i].upstream, nullptr));
    }
    // Whatever else stands between these settings and a gateway.
    if (good_) judge("", gateway::make_snapshot(settings_, environment_, loop_, nullptr));
  }

 private:
  template <class T>
  void judge(const std::string& where, const Result<T>& result) {
    if (result.ok()) return;
    good_ = false;
    check_.problem(where, result.error().detail);
  }

  void check_tls(const gateway::TlsSettings& tls, const std::string& where) {
    if (!tls.certificate.empty()) judge(where, net::ServerTls::load({{tls.certificate.path, tls.key.path}}));
    for (std::size_t i = 0; i < tls.certificates.size(); ++i) {
      const gateway::CertificateSettings& one = tls.certificates[i];
      judge(where + ".certificates[" + std::to_string(i) + "]",
            net::ServerTls::load({{one.certificate.path, one.key.path}}));
    }
  }

  void check_assertion() {
    const std::string& file = settings_.assertion.keys_file.path;
    if (file.empty()) return;
    const auto text = config::load_secret({config::SecretSource::Kind::file, file}, environment_);
    judge("assertion.keys_file", text);
    if (text.ok()) judge("assertion.keys_file", gateway::Assertion::make(settings_.assertion, text->reveal()));
  }

  const Settings& settings_;
  config::Check check_;
  config::Environment environment_;
  SystemClock clock_;
  net::Loop loop_;
  bool good_ = true;
};

json::Object place_of(const config::Mark& mark, const std::string& path) {
  return {{"file", mark.file ? *mark.file : std::string()},
          {"line", static_cast<std::int64_t>(mark.line)},
          {"column", static_cast<std::int64_t>(mark.column)},
          {"path", path}};
}

std::string to_json(const config::Reading<Settings>& reading) {
  json::Array problems;
  for (const config::Problem& problem : reading.problems.all()) {
    json::Object item = place_of(problem.mark, problem.path);
    item.emplace_back("message", problem.message);
    item.emplace_back("fix", problem.fix);
    problems.emplace_back(std::move(item));
  }
  json::Array dangers;
  for (const config::Danger& danger : reading.dangers) {
    json::Object item = place_of(danger.mark, danger.path);
    item.emplace_back("name", danger.name);
    item.emplace_back("meaning", danger.doc);
    dangers.emplace_back(std::move(item));
  }
  return json::dump(
             json::Object{{"good", reading.ok()}, {"problems", std::move(problems)}, {"dangers", std::move(dangers)}}) +
         "\n";
}

int check(const Arguments& arguments) {
  const config::Environment environment = config::process_environment();
  Configuration loaded = load_configuration(*arguments.find("--config"), environment);
  config::Reading<Settings>& reading = loaded.reading;
  const bool only_dangers = reading.problems.size() == loaded.refused_dangers;
  bool world_is_good = true;
  if (only_dangers && !reading.config.listen.empty()) {
    const std::size_t before = reading.problems.size();
    World(reading, environment).check();
    world_is_good = reading.problems.size() == before;
  }
  if (arguments.has("--json")) {
    print(to_json(reading));
  } else if (reading.ok()) {
    std::string text = *arguments.find("--config") + ": good\n";
    for (const config::Danger& danger : reading.dangers) text += danger.path + ": acknowledged: " + danger.doc + "\n";
    print(text);
  } else {
    print(reading.problems.text());
  }
  if (reading.ok()) return exit_good;
  return only_dangers && world_is_good ? exit_refused : exit_misused;
}

}  // namespace

Verb check_verb() {
  return {.name = "check",
          .line = "Finds everything that is wrong with a configuration.",
          .flags = {{"--config", "FILE", "The configuration.", Times::needed},
                    {"--json", "", "Writes JSON: good, problems (file, line, column, path, message, fix), dangers."}},
          .details =
              "Prints each problem as `file:line: path: message. fix`. Certificates, keys and secrets are tried as "
              "well; nothing "
              "is\nopened to the network. A `dangerous_*` setting is refused (exit status 1) unless `acknowledge` "
              "names it; any "
              "other\nproblem is exit status 2.",
          .example = "sallyport check --config sallyport.yaml",
          .run = check};
}

}  // namespace sallyport::cli
