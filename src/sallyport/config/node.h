#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sallyport/config/problem.h"

namespace sallyport::config {

/// A piece of configuration text before a schema has given it a meaning: a scalar, a list or a map, each with its
/// place.
struct Node {
  enum class Kind : std::uint8_t {
    scalar,
    list,
    map,
    refused,  ///< stands where something was refused and reported already; readers pass over it in silence
  };
  struct Entry;

  Kind kind = Kind::refused;
  Mark mark;
  std::string text;            ///< of a scalar, as written, escapes undone
  bool quoted = false;         ///< the scalar stood in quotes or was a block (`|`, `>`)
  std::vector<Node> items;     ///< of a list
  std::vector<Entry> entries;  ///< of a map, in the order of the file; keys are unique

  /// The value under `key`, or nullptr when this is no map or has no such key.
  const Node* find(std::string_view key) const;
  /// A scalar that says nothing: `key:` with no value, `~` or `null`.
  bool is_nothing() const;
  /// What stands here, for a message: `a list`, `nothing`, `"64KB"`.
  std::string describe() const;
};

struct Node::Entry {
  std::string key;
  Mark mark;  ///< of the key
  Node value;
};

/// What a configuration text may hold at most.
inline constexpr std::size_t max_text_size = 1 << 20;
inline constexpr int max_depth = 32;
inline constexpr std::size_t max_nodes = 100'000;

/// Reads one YAML document. Everything that is wrong is added to `problems`. Text that is not well-formed yields
/// nothing; where a single construct was refused the rest is still returned, so that a schema can find further problems
/// in the same run. Trust: `text` is hostile: size, depth and number of values are bounded and nothing is ever
/// expanded. Spec:  YAML 1.1 as libyaml reads it; stricter: one document of UTF-8, keys are scalars and unique, no
/// anchors, aliases or tags.
std::optional<Node> parse_yaml(std::string_view text, std::string_view file, Problems& problems);

}  // namespace sallyport::config
