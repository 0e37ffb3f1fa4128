#include "sallyport/protocol/json/json.h"

#include <algorithm>
#include <array>

namespace sallyport::protocol {
namespace {

constexpr std::size_t max_length = 1024;
// The integers up to here, and no others, are the same in every parser, also where all numbers are doubles.
constexpr std::string_view max_integer = "9007199254740991";

Error malformed(const char* what) { return Error{Reason::message_malformed, what}; }

std::vector<JsonPointer> pointers_of(const JsonConfig& config) {
  std::vector<JsonPointer> pointers;
  pointers.push_back(JsonPointer::parse(config.verb).value());
  if (!config.resource.empty()) pointers.push_back(JsonPointer::parse(config.resource).value());
  return pointers;
}

bool is_control(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }

// A string that was found, without its escapes: as it stands in the message, or written to `text`, which has room for it.
Result<std::string_view> plain_text(const JsonFound& found, std::string& text) {
  std::string_view plain = found.raw;
  bool has_control = plain.find('\x7f') != plain.npos;  // no other can stand in a string as it is
  if (plain.find('\\') != plain.npos) {
    // An escape is at most six times as long as what it stands for.
    if (found.raw.size() > 6 * max_length) return malformed("verb or resource too long");
    const std::size_t begin = text.size();
    append_unescaped(text, found);
    plain = std::string_view(text).substr(begin);
    has_control = std::ranges::any_of(plain, is_control);
  }
  if (plain.empty()) return malformed("verb or resource empty");
  if (plain.size() > max_length) return malformed("verb or resource too long");
  if (has_control) return malformed("control character in verb or resource");
  return plain;
}

Result<std::string_view> integer(std::string_view raw) {
  const std::string_view digits = raw.starts_with('-') ? raw.substr(1) : raw;
  if (digits.find_first_of(".eE") != std::string_view::npos) return malformed("the resource is no integer");
  if (raw == "-0") return malformed("the resource is minus zero");
  if (digits.size() > max_integer.size() || (digits.size() == max_integer.size() && digits > max_integer))
    return malformed("the resource is beyond the integers that are exact everywhere");
  return raw;
}

}  // namespace

JsonAdapter::JsonAdapter(const JsonConfig& config)
    : selection_(pointers_of(config)), resource_optional_(config.resource_optional) {}

Result<std::span<const Operation>> JsonAdapter::read(const Message& message, Workspace& workspace) const {
  if (message.kind != Message::Kind::text) return Error{Reason::message_unsupported, "binary message"};
  std::array<JsonFound, 2> found;
  TRY_OK(scan_json(text_of(message.content), selection_, std::span(found).first(selection_.size())));
  workspace.text.clear();
  workspace.text.reserve(2 * 6 * max_length);  // a view into it must not move
  const auto& [verb, resource] = found;
  if (verb.kind == JsonFound::Kind::absent) return malformed("no verb");
  if (verb.kind != JsonFound::Kind::string) return malformed("the verb is no string");
  TRY(const std::string_view verb_text, plain_text(verb, workspace.text));
  std::string_view resource_text;
  switch (resource.kind) {
    case JsonFound::Kind::absent: {
      const bool optional =
          selection_.size() == 1 || std::ranges::find(resource_optional_, verb_text) != resource_optional_.end();
      if (!optional) return malformed("no resource");
      break;
    }
    case JsonFound::Kind::string: {
      TRY(resource_text, plain_text(resource, workspace.text));
      break;
    }
    case JsonFound::Kind::number: {
      TRY(resource_text, integer(resource.raw));
      break;
    }
    case JsonFound::Kind::other:
      return malformed("the resource is neither string nor integer");
  }
  workspace.operations.clear();
  workspace.operations.push_back(operation(verb_text, resource_text));
  return std::span<const Operation>(workspace.operations);
}

config::Plug json_plug() {
  return {"json", config::Maturity::preview, config::Posture::hostile_clients, {"RFC 8259", "RFC 6901"}, json_schema()};
}

}  // namespace sallyport::protocol
