#include <map>
#include <set>

#include "sallyport/cli/console.h"
#include "sallyport/cli/verbs.h"

namespace sallyport::cli {
namespace {

/// `pattern` is a shell's, quoted where it must be.
void append_case(std::string& out, const std::string& pattern, const std::string& words) {
  out += "    " + pattern + ") words='" + words + "' ;;\n";
}

int completion(const Arguments& arguments) {
  if (arguments.operands().front() != "bash") {
    complain("only bash is known");
    return exit_misused;
  }
  std::set<std::string> first{"--help", "--version"};
  std::map<std::string, std::string> second;
  std::string cases;
  for (const Verb& verb : verbs()) {
    const std::string name(verb.name);
    const std::size_t space = name.find(' ');
    first.insert(name.substr(0, space));
    if (space != std::string::npos) second[name.substr(0, space)] += name.substr(space + 1) + " ";
    std::string flags = "--help";
    for (const Flag& flag : verb.flags) flags.append(" ").append(flag.name);
    append_case(cases, space == std::string::npos ? "'" + name + " '*" : "'" + name + "'", flags);
  }
  std::string all;
  for (const std::string& name : first) all += name + " ";
  for (const auto& [group, verbs_of_group] : second) append_case(cases, "'" + group + " '", verbs_of_group);
  print(
      "_sallyport() {\n"
      "  local words= current=\"${COMP_WORDS[COMP_CWORD]}\"\n"
      "  local verb=\"${COMP_WORDS[1]} \"\n"
      "  (( COMP_CWORD > 2 )) && verb+=\"${COMP_WORDS[2]}\"\n"
      "  case \"$verb\" in\n" +
      cases +
      "  esac\n"
      "  (( COMP_CWORD == 1 )) && words='" +
      all +
      "'\n"
      "  if [[ $current == --* || $COMP_CWORD -le 2 && -n $words ]]; then\n"
      "    mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$current\")\n"
      "  else\n"
      "    compopt -o default; COMPREPLY=()\n"
      "  fi\n"
      "}\n"
      "complete -F _sallyport sallyport\n");
  return exit_good;
}

}  // namespace

Verb completion_verb() {
  return {.name = "completion",
          .line = "Writes what teaches a shell to complete these commands.",
          .operands = "bash",
          .fewest_operands = 1,
          .most_operands = 1,
          .example = "sallyport completion bash > sallyport.bash",
          .run = completion};
}

}  // namespace sallyport::cli
