#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "sallyport/base/result.h"
#include "sallyport/protocol/json/pointer.h"

namespace sallyport::protocol {

/// The places in a JSON text that a scan reports, as a tree of names.
class JsonSelection {
 public:
  struct Node {
    std::string name;
    std::uint32_t index = 0;   ///< what the name stands for in an array; `no_index` when it is none
    std::uint32_t target = 0;  ///< which pointer ends here; `no_target` when one only passes
    std::uint32_t number = 0;  ///< counts all nodes of the tree
    std::vector<Node> children;
    std::array<bool, 256> may_begin{};  ///< the first bytes of names that are a child's, or could be taken for it
  };
  static constexpr std::uint32_t no_index = ~std::uint32_t{0};
  static constexpr std::uint32_t no_target = ~std::uint32_t{0};

  /// None of `pointers` covers another; they have 32 names altogether at most.
  explicit JsonSelection(std::span<const JsonPointer> pointers);

  const Node& root() const { return root_; }
  std::size_t size() const { return size_; }

 private:
  Node root_;
  std::size_t size_;
};

/// What stands at one of the selected places.
struct JsonFound {
  enum class Kind : std::uint8_t { absent, string, number, other };
  Kind kind = Kind::absent;
  std::string_view raw;  ///< of a string what stands between the quotes; of a number all
};

/// How deep a text may be nested; its object is the first level.
inline constexpr int max_json_depth = 64;

/// Reads `text`, which is one JSON object and nothing else, and fills `found`, which has a place for each pointer of `selection`.
/// Costs one pass and no memory.
/// Trust:    `text` is hostile, but UTF-8.
/// Errors:   `message.malformed`; nothing else.
/// Spec:     RFC 8259; stricter: on the way to the selected places no member may come twice, nor one whose name differs only in case
///           or in what stands behind a NUL, because some parsers take these for the same; lone surrogates, nesting beyond
///           `max_json_depth`. Members elsewhere may come twice: nothing is read from them. The size of numbers is not looked at.
/// Lifetime: `found` views `text`.
Result<void> scan_json(std::string_view text, const JsonSelection& selection, std::span<JsonFound> found);

/// Appends a string that scan_json found to `out`, without its escapes. Never allocates when `out` has room for `found.raw`.
void append_unescaped(std::string& out, const JsonFound& found);

/// The first of `text` that ends or interrupts a string of JSON: a quote, a backslash or a control character. `text.size()`: none.
std::size_t find_string_end(std::string_view text);
/// The same without instructions that not every machine has.
std::size_t find_string_end_portably(std::string_view text);

}  // namespace sallyport::protocol
