#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "sallyport/base/result.h"

namespace sallyport::config {

/// A place in a configuration file.
/// Units: `line` and `column` count from 1; 0 means that the place is the file as a whole.
struct Mark {
  std::shared_ptr<const std::string> file;
  unsigned line = 0;
  unsigned column = 0;
};

/// One thing wrong with a configuration.
struct Problem {
  Mark mark;
  std::string path;     ///< `routes[0].limits.message_size`; empty for the file as a whole
  std::string message;  ///< what was expected and what was found
  std::string fix;      ///< how to mend it; may be empty
};

/// Collects every problem, so that an operator mends them in one go.
class Problems {
 public:
  void add(Mark mark, std::string path, std::string message, std::string fix = {});
  bool empty() const { return all_.empty(); }
  std::size_t size() const { return all_.size(); }
  /// In the order they were found.
  const std::vector<Problem>& all() const { return all_; }

  /// One line each, `file:line: path: message. fix`, in the order of the file, each with a line feed.
  /// Trust: input that a message quotes is escaped, so a line is a line.
  std::string text() const;
  /// All of them as one Error.
  /// Errors: `config.invalid`, always.
  Error error() const;

 private:
  std::vector<Problem> all_;
};

/// `text` in double quotes, control characters escaped, cut after 60 bytes, so that hostile input can be shown in a
/// message.
std::string quoted(std::string_view text);

/// The path of `key` below `path`; a key that is no plain word is quoted.
std::string join_path(std::string_view path, std::string_view key);
std::string join_path(std::string_view path, std::size_t index);

/// The one of `candidates` that `word` was most likely meant to be, or an empty view when none is near.
/// Units: near is an edit distance (with swaps of neighbours) of at most a third of the word's length, at least 1.
std::string_view nearest(std::string_view word, const std::vector<std::string_view>& candidates);

}  // namespace sallyport::config
