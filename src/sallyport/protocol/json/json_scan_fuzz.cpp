// Is there a text in which the scan and a full parser of JSON see different things? Whatever both accept, they read alike; the scan
// accepts nothing that is no JSON object, and what it refuses of sound texts it refuses for a reason that can be checked.
#include <optional>

#include "sallyport/base/fuzzing.h"
#include "sallyport/base/json.h"
#include "sallyport/protocol/json/json.h"
#include "sallyport/protocol/json/scan.h"
#include "sallyport/ws/utf8.h"

namespace {

using namespace sallyport;
using namespace sallyport::protocol;
using fuzzing::must;

std::vector<JsonPointer> pointers(std::initializer_list<std::string_view> texts) {
  std::vector<JsonPointer> made;
  for (const std::string_view text : texts) made.push_back(JsonPointer::parse(text).value());
  return made;
}

const std::vector<std::vector<JsonPointer>> places = {
    pointers({"/type", "/room"}), pointers({"/p/room", "/p/type", "/a"}), pointers({"/p/0/k", "/p/1", "/s/i/k"})};

// `text` with numbers of two digits at most, which stay sound or unsound as they were: the full parser refuses large ones.
std::string with_small_numbers(std::string_view text) {
  std::string small;
  bool in_string = false;
  int digits = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string && c == '\\' && i + 1 < text.size()) {
      small += c;
      small += text[++i];
      continue;
    }
    if (c == '"') in_string = !in_string;
    digits = !in_string && c >= '0' && c <= '9' ? digits + 1 : 0;
    if (digits <= 2) small += c;
  }
  return small;
}

const json::Value* walk(const json::Value& root, const JsonPointer& pointer) {
  const json::Value* at = &root;
  for (const std::string& name : pointer.names()) {
    if (const json::Array* array = at->array()) {
      const std::size_t index = name.size() == 1 && name[0] >= '0' && name[0] <= '9' ? name[0] - '0' : array->size();
      if (index >= array->size()) return nullptr;
      at = &(*array)[index];
    } else if (!(at = at->find(name))) {
      return nullptr;
    }
  }
  return at;
}

void compare(const JsonFound& found, const json::Value* value, bool exact) {
  if (!value) return must(found.kind == JsonFound::Kind::absent);
  switch (found.kind) {
    case JsonFound::Kind::absent:
      return must(false);
    case JsonFound::Kind::string: {
      std::string text;
      append_unescaped(text, found);
      return must(value->string() && *value->string() == text);
    }
    case JsonFound::Kind::number:
      must(value->integer() || value->real());
      if (exact && value->integer() && found.raw != "-0") must(std::to_string(*value->integer()) == found.raw);
      return;
    case JsonFound::Kind::other:
      return must(!value->string() && !value->integer() && !value->real());
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  // Without anything behind it, so that a sanitizer sees a look behind the end.
  const std::vector<char> exact(data, data + size);
  const std::string_view text(exact.data(), exact.size());
  ws::Utf8Validator utf8;
  if (!utf8.add(bytes_of(text)) || !utf8.complete()) return 0;

  Result<json::Value> full = json::parse(text, max_json_depth);
  const bool as_it_is = full.ok();
  if (!as_it_is) full = json::parse(with_small_numbers(text), max_json_depth);
  const bool duplicate = !full.ok() && full.error().detail.find("duplicate member name") != std::string::npos;

  for (const std::vector<JsonPointer>& pointers : places) {
    const JsonSelection selection(pointers);
    std::vector<JsonFound> found(pointers.size());
    const auto scanned = scan_json(text, selection, found);
    if (!scanned.ok()) {
      const bool nearly = scanned.error().detail.find("nearly one that is looked for") != std::string::npos;
      must(!full.ok() || !full->object() || nearly);
      continue;
    }
    if (duplicate) continue;  // in a place where nothing is read
    must(full.ok() && full->object());
    for (std::size_t i = 0; i < pointers.size(); ++i) compare(found[i], walk(*full, pointers[i]), as_it_is);
  }

  static const JsonAdapter adapter({"/type", "/room", {"ping"}});
  static Workspace workspace;
  const auto read = adapter.read({Direction::to_backend, Message::Kind::text, bytes_of(text)}, workspace);
  if (read.ok() && !duplicate) {
    must(read->size() == 1);
    must(*full->find_string("type") == read->front().verb());
    const json::Value* room = full->find("room");
    if (!room) {
      must(read->front().resource().empty() && read->front().verb() == "ping");
    } else if (room->string()) {
      must(*room->string() == read->front().resource() && !room->string()->empty());
    } else if (as_it_is) {
      must(room->integer() && std::to_string(*room->integer()) == read->front().resource());
    }
  }
  return 0;
}
