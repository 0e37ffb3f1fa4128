// One pass over the text, made of two readers of values: a recursive one along the names that are looked for, at most as deep as the
// longest pointer, and a loop without recursion for everything else, which only proves that it is JSON. No tree is built and nothing
// is looked up twice.
#include "sallyport/protocol/json/scan.h"

#include <bit>
#include <charconv>
#include <cstring>
#include <utility>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace sallyport::protocol {
namespace {

using Node = JsonSelection::Node;

constexpr std::uint64_t every_byte(std::uint8_t byte) { return 0x0101010101010101u * byte; }
constexpr std::uint64_t high_bits = every_byte(0x80);

// The high bit of each zero byte of `word`; above the lowest one there may be more than there should.
constexpr std::uint64_t zero_bytes(std::uint64_t word) { return (word - every_byte(1)) & ~word & high_bits; }

constexpr bool interrupts_string(char c) { return c == '"' || c == '\\' || static_cast<unsigned char>(c) < 0x20; }

// Where in eight bytes the first of these stands; 8: nowhere.
inline std::size_t find_in_word(const char* at) {
  std::uint64_t word;
  std::memcpy(&word, at, sizeof(word));
  if constexpr (std::endian::native == std::endian::big) word = __builtin_bswap64(word);
  const std::uint64_t control = (word - every_byte(0x20)) & ~word & high_bits;
  const std::uint64_t found = zero_bytes(word ^ every_byte('"')) | zero_bytes(word ^ every_byte('\\')) | control;
  return static_cast<std::size_t>(std::countr_zero(found)) / 8;
}

constexpr std::ptrdiff_t block_size = 16;

#if defined(__SSE2__)
inline __m128i hits(const char* at) {
  const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(at));
  const __m128i control = _mm_cmpeq_epi8(_mm_min_epu8(bytes, _mm_set1_epi8(0x1f)), bytes);
  const __m128i quote = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('"'));
  return _mm_or_si128(control, _mm_or_si128(quote, _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\'))));
}
// The same for a block of sixteen; 16: nowhere.
inline std::size_t find_in_block(const char* at) {
  return static_cast<std::size_t>(std::countr_zero(static_cast<unsigned>(_mm_movemask_epi8(hits(at))) | 1u << 16));
}
#else
inline std::size_t find_in_block(const char* at) {
  const std::size_t found = find_in_word(at);
  return found < 8 ? found : 8 + find_in_word(at + 8);
}
#endif

constexpr bool is_digit(char c) { return c >= '0' && c <= '9'; }

int hex_digit(char c) {
  if (is_digit(c)) return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// The four digits at the front of `text`, or -1.
int hex_number(std::string_view text) {
  if (text.size() < 4) return -1;
  int number = 0;
  for (std::size_t i = 0; i < 4; ++i) {
    const int digit = hex_digit(text[i]);
    if (digit < 0) return -1;
    number = number * 16 + digit;
  }
  return number;
}

constexpr bool is_high_surrogate(int code) { return code >= 0xd800 && code <= 0xdbff; }
constexpr bool is_low_surrogate(int code) { return code >= 0xdc00 && code <= 0xdfff; }

// How many bytes the escape at the front of `text` has, a surrogate with its other half; 0: it is none.
std::size_t escape_length(std::string_view text) {
  if (text.size() < 2) return 0;
  switch (text[1]) {
    case '"':
    case '\\':
    case '/':
    case 'b':
    case 'f':
    case 'n':
    case 'r':
    case 't':
      return 2;
    case 'u': {
      const int code = hex_number(text.substr(2));
      if (code < 0 || is_low_surrogate(code)) return 0;
      if (!is_high_surrogate(code)) return 6;
      if (text.size() < 12 || text[6] != '\\' || text[7] != 'u') return 0;
      return is_low_surrogate(hex_number(text.substr(8))) ? 12 : 0;
    }
    default:
      return 0;
  }
}

// Takes one character off the front of `text`, the inside of a sound string. Escaped, it comes out as its code; otherwise as its code if
// that is in ASCII, and byte by byte, each negative, if it is not.
int take_character(std::string_view& text) {
  const char c = text.front();
  if (c != '\\') {
    text.remove_prefix(1);
    return static_cast<signed char>(c);
  }
  const std::size_t length = escape_length(text);
  const std::string_view escape = text.substr(0, length);
  text.remove_prefix(length);
  switch (escape[1]) {
    case 'b':
      return '\b';
    case 'f':
      return '\f';
    case 'n':
      return '\n';
    case 'r':
      return '\r';
    case 't':
      return '\t';
    case 'u': {
      const int code = hex_number(escape.substr(2));
      return length == 6 ? code : 0x10000 + ((code - 0xd800) << 10) + (hex_number(escape.substr(8)) - 0xdc00);
    }
    default:
      return escape[1];
  }
}

constexpr int in_lower_case(int code) { return code >= 'A' && code <= 'Z' ? code + ('a' - 'A') : code; }

// Characters outside ASCII that lose their difference to a letter when cases are folded or changed.
struct Lookalike {
  int code;
  char letter;
  std::string_view bytes;
};
constexpr Lookalike lookalikes[] = {
    {0x130, 'i', "\xc4\xb0"}, {0x131, 'i', "\xc4\xb1"}, {0x17f, 's', "\xc5\xbf"}, {0x212a, 'k', "\xe2\x84\xaa"}};

// take_character() without differences of case.
int take_folded(std::string_view& text) {
  const char first = text.front();
  for (const Lookalike& lookalike : lookalikes) {
    if (first == lookalike.bytes.front() && text.starts_with(lookalike.bytes)) {
      text.remove_prefix(lookalike.bytes.size());
      return lookalike.letter;
    }
  }
  const int code = take_character(text);
  for (const Lookalike& lookalike : lookalikes) {
    if (code == lookalike.code) return lookalike.letter;
  }
  return in_lower_case(code);
}

enum class Likeness : std::uint8_t { none, look_alike, same };

// How the member called `raw`, the inside of a sound string that has escapes or is not ASCII, stands to the one that is called `name`.
Likeness compare_slowly(std::string_view raw, std::string_view name) {
  std::string_view exact = raw;
  bool same = true;
  for (const char expected : name) {
    if (raw.empty() || take_folded(raw) != in_lower_case(expected)) return Likeness::none;
    same = same && !exact.empty() && take_character(exact) == expected;
  }
  if (!raw.empty()) return take_character(raw) == 0 ? Likeness::look_alike : Likeness::none;
  return same ? Likeness::same : Likeness::look_alike;
}

constexpr bool is_plain(char c) { return c != '\\' && static_cast<signed char>(c) >= 0; }

// The same for the inside of any sound string.
Likeness compare(std::string_view raw, std::string_view name) {
  bool same = true;
  for (std::size_t i = 0; i < name.size(); ++i) {
    if (i == raw.size()) return Likeness::none;
    if (!is_plain(raw[i])) return compare_slowly(raw, name);
    if (raw[i] == name[i]) continue;
    if (in_lower_case(raw[i]) != in_lower_case(name[i])) return Likeness::none;
    same = false;
  }
  if (raw.size() == name.size()) return same ? Likeness::same : Likeness::look_alike;
  return is_plain(raw[name.size()]) ? Likeness::none : compare_slowly(raw, name);
}

// Each reader of the grammar is given the place where it begins, returns the one where it ended, and null at a fault.
class Scan {
 public:
  Scan(std::string_view text, std::span<JsonFound> found)
      : begin_(text.data()), end_(text.data() + text.size()), found_(found) {}

  // Null, or what is wrong.
  const char* run(const Node& root) {
    const char* at = space(begin_);
    if (!is(at, '{')) return "not a JSON object";
    at = object(root, at + 1, 1);
    if (!at) return fault_;
    return space(at) == end_ ? nullptr : "something behind the JSON object";
  }

 private:
  const char* fail(const char* fault) {
    fault_ = fault;
    return nullptr;
  }

  bool is(const char* at, char expected) const { return at != end_ && *at == expected; }

  [[gnu::always_inline]] const char* space(const char* at) const {
    while (at != end_ && static_cast<unsigned char>(*at) <= ' ' &&
           (*at == ' ' || *at == '\n' || *at == '\r' || *at == '\t')) {
      ++at;
    }
    return at;
  }

  // From behind the opening quote to behind the closing one.
  [[gnu::always_inline]] const char* string(const char* at) {
    // Most strings are short, and end here.
    if (end_ - at >= block_size) {
      at += find_in_block(at);
      if (is(at, '"')) return at + 1;
    }
    return rest_of_string(at);
  }
  const char* rest_of_string(const char* at) {
    for (;;) {
      at += find_string_end({at, end_});
      if (at == end_) return fail("a string has no end");
      if (*at == '"') return at + 1;
      if (*at != '\\') return fail("control character in a string");
      const std::size_t length = escape_length({at, end_});
      if (length == 0) return fail("bad escape in a string");
      at += length;
    }
  }

  const char* digits(const char* at) {
    if (at == end_ || !is_digit(*at)) return fail("bad number");
    do ++at;
    while (at != end_ && is_digit(*at));
    return at;
  }
  const char* number(const char* at) {
    if (is(at, '-')) ++at;
    if (at == end_ || !is_digit(*at)) return fail("no JSON value where one must be");
    if (*at == '0') {
      ++at;
    } else {
      at = digits(at);
    }
    if (is(at, '.')) {
      at = digits(at + 1);
      if (!at) return nullptr;
    }
    if (is(at, 'e') || is(at, 'E')) {
      ++at;
      if (is(at, '+') || is(at, '-')) ++at;
      return digits(at);
    }
    return at;
  }
  const char* literal(const char* at, std::string_view expected) {
    if (!std::string_view(at, end_).starts_with(expected)) return fail("no JSON value where one must be");
    return at + expected.size();
  }

  // A name from before its opening quote to behind the closing one.
  const char* name(const char* at) { return is(at, '"') ? string(at + 1) : fail("no name where a member must be"); }
  [[gnu::always_inline]] const char* colon(const char* at) {
    at = space(at);
    return is(at, ':') ? at + 1 : fail("no colon behind a name");
  }
  // Of a member that nobody looks for.
  const char* skip_name(const char* at) {
    at = name(space(at));
    return at ? colon(at) : nullptr;
  }

  // A value that is no container.
  [[gnu::always_inline]] const char* scalar(const char* at) {
    if (at == end_) return fail("the text has no end");
    switch (*at) {
      case '"':
        return string(at + 1);
      case 't':
        return literal(at, "true");
      case 'f':
        return literal(at, "false");
      case 'n':
        return literal(at, "null");
      default:
        return number(at);
    }
  }
  bool is_container(const char* at) const { return is(at, '{') || is(at, '['); }

  // The value of a member, or an item, in a container of level `depth`.
  [[gnu::always_inline]] const char* skip_value(const char* at, int depth) {
    at = space(at);
    return is_container(at) ? skip_container(at, depth) : scalar(at);
  }

  const char* skip_container(const char* at, int depth) {
    std::uint64_t kinds = 0;  // of the containers that were opened here: a bit each, set for an object
    const int bottom = depth;
    for (;;) {
      at = space(at);
      if (!is_container(at)) {
        at = scalar(at);
        if (!at) return nullptr;
      } else {
        const bool is_object = *at == '{';
        if (depth == max_json_depth) return fail("nested too deep");
        at = space(at + 1);
        if (is(at, is_object ? '}' : ']')) {
          ++at;
        } else {
          ++depth;
          kinds = kinds << 1 | (is_object ? 1 : 0);
          if (is_object) at = skip_name(at);
          if (!at) return nullptr;
          continue;
        }
      }
      for (;;) {
        if (depth == bottom) return at;
        const bool in_object = (kinds & 1) != 0;
        at = space(at);
        if (is(at, ',')) {
          ++at;
          if (in_object) at = skip_name(at);
          if (!at) return nullptr;
          break;
        }
        if (!is(at, in_object ? '}' : ']')) return fail("no comma and no end where one of them must be");
        ++at;
        kinds >>= 1;
        --depth;
      }
    }
  }

  // From behind the brace of an object of level `depth` to behind its end.
  const char* object(const Node& node, const char* at, int depth) {
    at = space(at);
    if (is(at, '}')) return at + 1;
    for (;;) {
      const char* const opening = space(at);
      at = name(opening);
      if (!at) return nullptr;
      const std::string_view raw(opening + 1, at - 1);
      const Node* member = nullptr;
      if (!raw.empty() && node.may_begin[static_cast<unsigned char>(raw.front())]) {
        for (const Node& child : node.children) {
          const Likeness likeness = compare(raw, child.name);
          if (likeness == Likeness::none) continue;
          if (likeness == Likeness::look_alike) return fail("a member's name is nearly one that is looked for");
          member = &child;
        }
      }
      at = colon(at);
      if (at) at = member ? value(*member, at, depth) : skip_value(at, depth);
      if (!at) return nullptr;
      at = space(at);
      if (is(at, '}')) return at + 1;
      if (!is(at, ',')) return fail("no comma and no end where one of them must be");
      ++at;
    }
  }

  // From behind the bracket of an array of level `depth` to behind its end.
  const char* array(const Node& node, const char* at, int depth) {
    at = space(at);
    if (is(at, ']')) return at + 1;
    for (std::uint32_t index = 0;; ++index) {
      const Node* item = nullptr;
      for (const Node& child : node.children) {
        if (child.index == index) item = &child;
      }
      at = item ? value(*item, at, depth) : skip_value(at, depth);
      if (!at) return nullptr;
      at = space(at);
      if (is(at, ']')) return at + 1;
      if (!is(at, ',')) return fail("no comma and no end where one of them must be");
      ++at;
    }
  }

  // A value that is looked for, or on the way to one, in a container of level `depth`.
  const char* value(const Node& node, const char* at, int depth) {
    const std::uint32_t bit = std::uint32_t{1} << node.number;
    if ((seen_ & bit) != 0) return fail("a member comes twice");
    seen_ |= bit;
    at = space(at);
    const char* const begin = at;
    const char first = at == end_ ? '\0' : *at;
    if (node.target == JsonSelection::no_target) {
      if (first != '{' && first != '[') return skip_value(at, depth);
      if (depth == max_json_depth) return fail("nested too deep");
      return first == '{' ? object(node, at + 1, depth + 1) : array(node, at + 1, depth + 1);
    }
    JsonFound& found = found_[node.target];
    if (first == '"') {
      found.kind = JsonFound::Kind::string;
      at = string(at + 1);
      if (at) found.raw = {begin + 1, at - 1};
      return at;
    }
    at = skip_value(at, depth);
    if (!at) return nullptr;
    found.kind = first == '-' || is_digit(first) ? JsonFound::Kind::number : JsonFound::Kind::other;
    found.raw = {begin, at};
    return at;
  }

  const char* begin_;
  const char* end_;
  std::span<JsonFound> found_;
  const char* fault_ = nullptr;
  std::uint32_t seen_ = 0;  // the nodes whose value was met
};

void append_utf8(std::string& out, int code) {
  const auto put = [&](int byte) { out += static_cast<char>(byte); };
  if (code < 0x80) return put(code);
  if (code < 0x800) {
    put(0xc0 | code >> 6);
  } else {
    if (code < 0x10000) {
      put(0xe0 | code >> 12);
    } else {
      put(0xf0 | code >> 18);
      put(0x80 | (code >> 12 & 0x3f));
    }
    put(0x80 | (code >> 6 & 0x3f));
  }
  put(0x80 | (code & 0x3f));
}

// Notes in `node` how a name can begin that is, or looks like, one that begins with `letter`.
void allow_beginning(Node& node, char letter) {
  for (int byte = 0; byte < 256; ++byte) {
    if (byte >= 0x80 || byte == '\\' || in_lower_case(byte) == in_lower_case(letter)) node.may_begin[byte] = true;
  }
}

}  // namespace

JsonSelection::JsonSelection(std::span<const JsonPointer> pointers) : size_(pointers.size()) {
  std::uint32_t nodes = 0;
  root_.target = no_target;
  for (std::uint32_t target = 0; target < pointers.size(); ++target) {
    Node* at = &root_;
    for (const std::string& name : pointers[target].names()) {
      Node* next = nullptr;
      for (Node& child : at->children) {
        if (child.name == name) next = &child;
      }
      if (!next) {
        Node fresh{name, no_index, no_target, nodes++, {}, {}};
        std::uint32_t index = 0;
        const auto read = std::from_chars(name.data(), name.data() + name.size(), index);
        const bool canonical = name == "0" || name.front() != '0';
        if (read.ec == std::errc() && read.ptr == name.data() + name.size() && canonical) fresh.index = index;
        next = &at->children.emplace_back(std::move(fresh));
      }
      allow_beginning(*at, name.front());
      at = next;
    }
    SALLYPORT_CHECK(at->target == no_target && at->children.empty());
    at->target = target;
  }
  SALLYPORT_CHECK(nodes <= 32);
}

Result<void> scan_json(std::string_view text, const JsonSelection& selection, std::span<JsonFound> found) {
  SALLYPORT_CHECK(found.size() == selection.size());
  for (JsonFound& place : found) place = {};
  if (const char* fault = Scan(text, found).run(selection.root())) return Error{Reason::message_malformed, fault};
  return {};
}

void append_unescaped(std::string& out, const JsonFound& found) {
  std::string_view left = found.raw;
  while (!left.empty()) {
    const int character = take_character(left);
    if (character < 0) {
      out += static_cast<char>(character);
    } else {
      append_utf8(out, character);
    }
  }
}

std::size_t find_string_end_portably(std::string_view text) {
  const char* at = text.data();
  const char* const end = at + text.size();
  for (; end - at >= 8; at += 8) {
    const std::size_t found = find_in_word(at);
    if (found < 8) return static_cast<std::size_t>(at - text.data()) + found;
  }
  while (at != end && !interrupts_string(*at)) ++at;
  return static_cast<std::size_t>(at - text.data());
}

std::size_t find_string_end(std::string_view text) {
  const char* at = text.data();
  const char* const end = at + text.size();
#if defined(__SSE2__)
  for (; end - at >= 4 * block_size; at += 4 * block_size) {
    const __m128i first_half = _mm_or_si128(hits(at), hits(at + block_size));
    const __m128i second_half = _mm_or_si128(hits(at + 2 * block_size), hits(at + 3 * block_size));
    if (_mm_movemask_epi8(_mm_or_si128(first_half, second_half)) != 0) break;
  }
#endif
  for (; end - at >= block_size; at += block_size) {
    const std::size_t found = find_in_block(at);
    if (found < block_size) return static_cast<std::size_t>(at - text.data()) + found;
  }
  return static_cast<std::size_t>(at - text.data()) + find_string_end_portably({at, end});
}

}  // namespace sallyport::protocol
