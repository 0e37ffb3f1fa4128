#include "sallyport/base/json.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <unordered_set>

#include <simdjson.h>

namespace sallyport::json {
namespace {

Error invalid(std::string detail) { return Error{Reason::request_invalid, "JSON: " + std::move(detail)}; }

// Up to this many members a linear search is faster than a hash set; beyond it, it would be a way to burn our CPU.
constexpr std::size_t linear_search_limit = 16;

bool has_member(const Object& object, std::string_view name) {
  return std::any_of(object.begin(), object.end(), [&](const auto& member) { return member.first == name; });
}

Result<Value> convert(simdjson::dom::element element, int depth_left);

Result<Value> convert_object(simdjson::dom::object source, int depth_left) {
  Object object;
  object.reserve(source.size());
  std::unordered_set<std::string_view> names;  // views into the parser's own buffer, alive for the whole conversion
  for (auto field : source) {
    const std::string_view name = field.key;
    bool duplicate = false;
    if (object.size() < linear_search_limit) {
      duplicate = has_member(object, name);
    } else {
      if (names.empty()) {
        for (auto earlier : source) {
          if (earlier.key.data() == name.data()) break;
          names.insert(earlier.key);
        }
      }
      duplicate = !names.insert(name).second;
    }
    if (duplicate) return invalid("duplicate member name \"" + std::string(name.substr(0, 64)) + "\"");
    TRY(Value value, convert(field.value, depth_left));
    object.emplace_back(std::string(name), std::move(value));
  }
  return Value(std::move(object));
}

Result<Value> convert_array(simdjson::dom::array source, int depth_left) {
  Array array;
  array.reserve(source.size());
  for (auto element : source) {
    TRY(Value value, convert(element, depth_left));
    array.push_back(std::move(value));
  }
  return Value(std::move(array));
}

Result<Value> convert(simdjson::dom::element element, int depth_left) {
  using simdjson::dom::element_type;
  switch (element.type()) {
    case element_type::OBJECT:
      if (depth_left <= 0) return invalid("nested too deep");
      return convert_object(element.get_object().value_unsafe(), depth_left - 1);
    case element_type::ARRAY:
      if (depth_left <= 0) return invalid("nested too deep");
      return convert_array(element.get_array().value_unsafe(), depth_left - 1);
    case element_type::INT64:
      return Value(element.get_int64().value_unsafe());
    case element_type::UINT64:
      return Value(static_cast<double>(element.get_uint64().value_unsafe()));
    case element_type::DOUBLE:
      return Value(element.get_double().value_unsafe());
    case element_type::STRING:
      return Value(std::string_view(element.get_string().value_unsafe()));
    case element_type::BOOL:
      return Value(element.get_bool().value_unsafe());
    case element_type::NULL_VALUE:
      return Value(nullptr);
  }
  return invalid("unknown kind of value");
}

void append_number(std::string& out, double number) {
  if (!std::isfinite(number)) {
    out += "null";
    return;
  }
  char buffer[32];
  const auto end = std::to_chars(buffer, buffer + sizeof buffer, number).ptr;
  const std::string_view text(buffer, static_cast<std::size_t>(end - buffer));
  out += text;
  // Keeps a real a real when the text is read again.
  if (text.find_first_of(".e") == std::string_view::npos) out += ".0";
}

void append_value(std::string& out, const Value& value) {
  if (const bool* boolean = value.boolean()) {
    out += *boolean ? "true" : "false";
  } else if (const std::int64_t* integer = value.integer()) {
    out += std::to_string(*integer);
  } else if (const double* real = value.real()) {
    append_number(out, *real);
  } else if (const std::string* string = value.string()) {
    append_quoted(out, *string);
  } else if (const Array* array = value.array()) {
    out += '[';
    for (std::size_t i = 0; i < array->size(); ++i) {
      if (i > 0) out += ',';
      append_value(out, (*array)[i]);
    }
    out += ']';
  } else if (const Object* object = value.object()) {
    out += '{';
    for (std::size_t i = 0; i < object->size(); ++i) {
      if (i > 0) out += ',';
      append_quoted(out, (*object)[i].first);
      out += ':';
      append_value(out, (*object)[i].second);
    }
    out += '}';
  } else {
    out += "null";
  }
}

// The length of the well-formed UTF-8 sequence that `text` starts with, 0 when there is none (Unicode 15, table 3-7).
std::size_t utf8_sequence(std::string_view text) {
  const auto at = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const auto continues = [&](std::size_t i, unsigned low = 0x80, unsigned high = 0xBF) {
    return i < text.size() && at(i) >= low && at(i) <= high;
  };
  const unsigned first = at(0);
  if (first < 0x80) return 1;
  if (first >= 0xC2 && first <= 0xDF) return continues(1) ? 2 : 0;
  if (first >= 0xE0 && first <= 0xEF) {
    const unsigned low = first == 0xE0 ? 0xA0 : 0x80;
    const unsigned high = first == 0xED ? 0x9F : 0xBF;
    return continues(1, low, high) && continues(2) ? 3 : 0;
  }
  if (first >= 0xF0 && first <= 0xF4) {
    const unsigned low = first == 0xF0 ? 0x90 : 0x80;
    const unsigned high = first == 0xF4 ? 0x8F : 0xBF;
    return continues(1, low, high) && continues(2) && continues(3) ? 4 : 0;
  }
  return 0;
}

void append_control(std::string& out, unsigned code) {
  constexpr char digits[] = "0123456789abcdef";
  out += "\\u00";
  out += digits[code >> 4 & 0xF];
  out += digits[code & 0xF];
}

}  // namespace

const Value* Value::find(std::string_view name) const {
  if (const Object* members = object()) {
    for (const auto& [key, value] : *members) {
      if (key == name) return &value;
    }
  }
  return nullptr;
}

const std::string* Value::find_string(std::string_view name) const {
  const Value* value = find(name);
  return value ? value->string() : nullptr;
}

Result<Value> parse(std::string_view text, int max_depth) {
  // The parser below would skip a byte order mark.
  if (text.substr(0, 3) == "\xEF\xBB\xBF") return invalid("starts with a byte order mark");
  thread_local simdjson::dom::parser parser;
  simdjson::dom::element root;
  if (const auto error = parser.parse(text.data(), text.size()).get(root))
    return invalid(simdjson::error_message(error));
  return convert(root, max_depth);
}

std::string dump(const Value& value) {
  std::string out;
  append_value(out, value);
  return out;
}

void append_quoted(std::string& out, std::string_view text) {
  const auto is_plain = [](char c) { return c >= 0x20 && c < 0x7F && c != '"' && c != '\\'; };
  out += '"';
  while (!text.empty()) {
    const auto plain = static_cast<std::size_t>(std::ranges::find_if_not(text, is_plain) - text.begin());
    out += text.substr(0, plain);
    text.remove_prefix(plain);
    if (text.empty()) break;
    const std::size_t length = utf8_sequence(text);
    const auto first = static_cast<unsigned char>(text[0]);
    if (length == 0) {
      out += "\xEF\xBF\xBD";
      text.remove_prefix(1);
      continue;
    }
    if (length == 1) {
      switch (first) {
        case '"':
          out += "\\\"";
          break;
        case '\\':
          out += "\\\\";
          break;
        case '\n':
          out += "\\n";
          break;
        case '\r':
          out += "\\r";
          break;
        case '\t':
          out += "\\t";
          break;
        default:
          // DEL and the C1 controls below are legal in JSON, but a terminal showing a log line would obey them.
          append_control(out, first);
      }
    } else if (first == 0xC2 && static_cast<unsigned char>(text[1]) < 0xA0) {
      append_control(out, static_cast<unsigned char>(text[1]));
    } else {
      out += text.substr(0, length);
    }
    text.remove_prefix(length);
  }
  out += '"';
}

}  // namespace sallyport::json
