#include "sallyport/cli/verbs.h"

#include <algorithm>

#include "sallyport/cli/console.h"
#include "sallyport/cli/version.h"
#include "sallyport/config/problem.h"

namespace sallyport::cli {
namespace {

bool wants_help(std::span<const std::string> words) {
  const auto end = std::ranges::find(words, "--");
  return std::find(words.begin(), end, "--help") != end || std::find(words.begin(), end, "-h") != end;
}

/// Whether `word` is the first of a verb of two words.
bool is_group(std::string_view word) {
  return std::ranges::any_of(verbs(), [&](const Verb& verb) { return verb.name.starts_with(std::string(word) + " "); });
}

int unknown_verb(const std::string& asked) {
  std::vector<std::string_view> names;
  for (const Verb& verb : verbs()) names.push_back(verb.name);
  const std::string_view near = config::nearest(asked, names);
  complain("no verb is called " + config::quoted(asked) +
           (near.empty() ? "" : "; did you mean " + std::string(near) + "?") + " (`sallyport --help` lists them)");
  return exit_misused;
}

}  // namespace

std::span<const Verb> verbs() {
  static const std::vector<Verb> all{
      serve_verb(),
      check_verb(),
      explain_verb(),
      keys_new_verb(),
      keys_list_verb(),
      keys_rotate_verb(),
      token_issue_verb(),
      token_inspect_verb(),
      token_verify_verb(),
      token_sign_request_verb(),
      token_revoke_verb(),
      connections_list_verb(),
      connections_close_verb(),
      revoke_verb(),
      completion_verb(),
  };
  return all;
}

int run(std::span<const std::string> words) {
  if (words.empty()) {
    complain("a verb is needed\n\n" + help_of(verbs(), ""));
    return exit_misused;
  }
  if (words[0] == "--help" || words[0] == "-h" || words[0] == "help") {
    print(help_of(verbs(), ""));
    return exit_good;
  }
  if (words[0] == "--version") {
    print("sallyport " + std::string(version) + "\n");
    return exit_good;
  }
  std::string name = words[0];
  std::size_t used = 1;
  if (is_group(name)) {
    if (words.size() < 2 || words[1].starts_with('-')) {
      if (wants_help(words)) {
        print(help_of(verbs(), name));
        return exit_good;
      }
      complain("a verb is needed after " + name + "\n\n" + help_of(verbs(), name));
      return exit_misused;
    }
    name += " " + words[1];
    used = 2;
  }
  const auto verb = std::ranges::find(verbs(), std::string_view(name), &Verb::name);
  if (verb == verbs().end()) return unknown_verb(name);
  const auto rest = words.subspan(used);
  if (wants_help(rest)) {
    print(help_of(*verb));
    return exit_good;
  }
  const Result<Arguments> arguments = parse_arguments(*verb, rest);
  if (!arguments.ok()) {
    complain(arguments.error().detail + " (`sallyport " + name + " --help` tells more)");
    return exit_misused;
  }
  return verb->run(*arguments);
}

}  // namespace sallyport::cli
