#include "sallyport/cli/arguments.h"

#include <algorithm>

#include "sallyport/config/problem.h"

namespace sallyport::cli {
namespace {

Error misused(std::string detail) { return {Reason::request_invalid, std::move(detail)}; }

const Flag* find_flag(const Verb& verb, std::string_view name) {
  const auto found = std::ranges::find(verb.flags, name, &Flag::name);
  return found == verb.flags.end() ? nullptr : &*found;
}

Error unknown_flag(const Verb& verb, std::string_view name) {
  std::vector<std::string_view> names{"--help"};
  for (const Flag& flag : verb.flags) names.push_back(flag.name);
  const std::string_view near = config::nearest(name, names);
  return misused("unknown flag " + config::quoted(name) +
                 (near.empty() ? "" : "; did you mean " + std::string(near) + "?"));
}

void append_row(std::string& out, std::string_view name, std::string_view doc, std::size_t width) {
  out.append("  ").append(name).append(width - name.size() + 2, ' ').append(doc).append("\n");
}

std::string shown(const Flag& flag) {
  std::string text(flag.name);
  if (!flag.value.empty()) text.append(" ").append(flag.value);
  return text;
}

}  // namespace

bool Arguments::has(std::string_view flag) const {
  return std::ranges::find(flags_, flag, [](const auto& given) { return std::string_view(given.first); }) !=
         flags_.end();
}

std::optional<std::string> Arguments::find(std::string_view flag) const {
  for (const auto& [name, value] : flags_) {
    if (name == flag) return value;
  }
  return std::nullopt;
}

std::string Arguments::value_or(std::string_view flag, std::string_view otherwise) const {
  return find(flag).value_or(std::string(otherwise));
}

std::vector<std::string> Arguments::find_all(std::string_view flag) const {
  std::vector<std::string> values;
  for (const auto& [name, value] : flags_) {
    if (name == flag) values.push_back(value);
  }
  return values;
}

Result<Arguments> parse_arguments(const Verb& verb, std::span<const std::string> words) {
  Arguments arguments;
  bool flags_ended = false;
  for (std::size_t i = 0; i < words.size(); ++i) {
    const std::string& word = words[i];
    // One dash is no flag: ids are random and may begin with one.
    if (flags_ended || !word.starts_with("--")) {
      arguments.operands_.push_back(word);
      continue;
    }
    if (word == "--") {
      flags_ended = true;
      continue;
    }
    const std::size_t equals = word.find('=');
    const std::string name = word.substr(0, equals);
    const Flag* flag = find_flag(verb, name);
    if (!flag) return unknown_flag(verb, name);
    if (flag->times != Times::any && arguments.has(name)) return misused(name + " is given twice");
    std::string value;
    if (flag->value.empty()) {
      if (equals != std::string::npos) return misused(name + " takes no value");
    } else if (equals != std::string::npos) {
      value = word.substr(equals + 1);
    } else if (i + 1 < words.size()) {
      value = words[++i];
    } else {
      return misused(name + " needs a value: " + shown(*flag));
    }
    arguments.flags_.emplace_back(name, std::move(value));
  }
  for (const Flag& flag : verb.flags) {
    if (flag.times == Times::needed && !arguments.has(flag.name)) return misused(shown(flag) + " is needed");
  }
  if (arguments.operands_.size() < verb.fewest_operands) return misused(std::string(verb.operands) + " is needed");
  if (arguments.operands_.size() > verb.most_operands) {
    return misused("unexpected argument " + config::quoted(arguments.operands_[verb.most_operands]));
  }
  return arguments;
}

std::string help_of(const Verb& verb) {
  std::string out = "sallyport " + std::string(verb.name) + ": " + std::string(verb.line) + "\n\nUsage: sallyport " +
                    std::string(verb.name);
  for (const Flag& flag : verb.flags) {
    if (flag.times == Times::needed) out += " " + shown(flag);
  }
  if (std::ranges::any_of(verb.flags, [](const Flag& flag) { return flag.times != Times::needed; })) out += " [FLAGS]";
  if (!verb.operands.empty()) out.append(" ").append(verb.operands);
  out += "\n";
  if (!verb.details.empty()) out.append("\n").append(verb.details).append("\n");
  std::size_t width = 0;
  for (const Flag& flag : verb.flags) width = std::max(width, shown(flag).size());
  if (!verb.flags.empty()) out += "\nFlags:\n";
  for (const Flag& flag : verb.flags) append_row(out, shown(flag), flag.doc, width);
  out.append("\nExample:\n  ").append(verb.example).append("\n");
  return out;
}

std::string help_of(std::span<const Verb> verbs, std::string_view group) {
  std::string out =
      "Sallyport: every WebSocket connection tied to an identity that is proven and still valid.\n\nUsage: sallyport " +
      std::string(group) + (group.empty() ? "VERB [FLAGS]\n\nVerbs:\n" : " VERB [FLAGS]\n\nVerbs:\n");
  std::size_t width = 0;
  for (const Verb& verb : verbs) width = std::max(width, verb.name.size());
  for (const Verb& verb : verbs) {
    if (group.empty() || verb.name.starts_with(std::string(group) + " ")) append_row(out, verb.name, verb.line, width);
  }
  out +=
      "\n`sallyport VERB --help` shows the flags and an example. Exit status: 0 good, 1 a finding or a refusal, 2 "
      "wrong usage or "
      "configuration.\n";
  return out;
}

}  // namespace sallyport::cli
