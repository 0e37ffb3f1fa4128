#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sallyport/base/result.h"

namespace sallyport::cli {

/// What the process ends with.
enum Exit : int {
  exit_good = 0,
  exit_refused = 1,  ///< a finding or a refusal
  exit_misused = 2,  ///< wrong usage or configuration
};

enum class Times : std::uint8_t { once, needed, any };

struct Flag {
  std::string_view name;   ///< with its dashes
  std::string_view value;  ///< what to call its value in the help; empty: it takes none
  std::string_view doc;
  Times times = Times::once;
};

/// What stood on the command line behind the verb.
class Arguments {
 public:
  bool has(std::string_view flag) const;
  /// The value of a flag that is given at most once.
  std::optional<std::string> find(std::string_view flag) const;
  std::string value_or(std::string_view flag, std::string_view otherwise) const;
  std::vector<std::string> find_all(std::string_view flag) const;
  const std::vector<std::string>& operands() const { return operands_; }

 private:
  friend Result<Arguments> parse_arguments(const struct Verb&, std::span<const std::string>);
  std::vector<std::pair<std::string, std::string>> flags_;
  std::vector<std::string> operands_;
};

/// One thing that the program does.
struct Verb {
  std::string_view name;      ///< one word or two: `keys new`
  std::string_view line;      ///< what it does, in one line
  std::string_view operands;  ///< as the usage shows them: `[KEY]`; empty: none
  std::size_t fewest_operands = 0;
  std::size_t most_operands = 0;
  std::vector<Flag> flags;
  std::string_view details;  ///< what else there is to know; may be empty
  std::string_view example;  ///< a line for a shell; a test runs it
  int (*run)(const Arguments& arguments);
};

/// `--flag value`, `--flag=value`, operands; `--` ends the flags. What begins with one dash is an operand.
/// Errors: `request.invalid` for an unknown flag (the nearest is named), a flag without its value, one given twice or missing, and
///         too few or too many operands.
Result<Arguments> parse_arguments(const Verb& verb, std::span<const std::string> words);

/// The page that `sallyport VERB --help` shows.
std::string help_of(const Verb& verb);
/// The page that `sallyport --help` shows, or `sallyport keys --help` for those that begin so.
std::string help_of(std::span<const Verb> verbs, std::string_view group);

}  // namespace sallyport::cli
