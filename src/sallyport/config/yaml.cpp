#include <yaml.h>

#include <algorithm>
#include <unordered_map>

#include "sallyport/config/node.h"

namespace sallyport::config {

const Node* Node::find(std::string_view key) const {
  if (kind != Kind::map) return nullptr;
  for (const Entry& entry : entries)
    if (entry.key == key) return &entry.value;
  return nullptr;
}

bool Node::is_nothing() const {
  return kind == Kind::scalar && !quoted &&
         (text.empty() || text == "~" || text == "null" || text == "Null" || text == "NULL");
}

std::string Node::describe() const {
  switch (kind) {
    case Kind::list:
      return "a list";
    case Kind::map:
      return "a map";
    case Kind::scalar:
      return is_nothing() ? "nothing" : config::quoted(text);
    case Kind::refused:
      break;
  }
  return "what is refused above";
}

namespace {

// libyaml's event stream, read by recursion that max_depth bounds. Events are what the text says, one for one: an alias
// is an event, not a copy of what it names, so refusing it here leaves nothing that could multiply.
class Parser {
 public:
  Parser(std::string_view text, std::string_view file, Problems& problems)
      : text_(text), file_(std::make_shared<const std::string>(file)), problems_(problems) {
    SALLYPORT_CHECK(yaml_parser_initialize(&parser_) != 0);
    yaml_parser_set_encoding(&parser_, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&parser_, reinterpret_cast<const unsigned char*>(text.data()), text.size());
  }
  Parser(const Parser&) = delete;
  Parser& operator=(const Parser&) = delete;
  ~Parser() {
    yaml_event_delete(&event_);
    yaml_parser_delete(&parser_);
  }

  std::optional<Node> document() {
    if (!next()) return std::nullopt;  // stream start
    if (!next()) return std::nullopt;
    if (event_.type == YAML_STREAM_END_EVENT) {
      problems_.add(Mark{file_, 1, 1}, "", "a map of settings expected, found an empty file");
      return std::nullopt;
    }
    if (!next()) return std::nullopt;
    std::optional<Node> root = node("", 1);
    if (!root || !next() || !next()) return std::nullopt;  // document end, then stream end or another document
    if (event_.type != YAML_STREAM_END_EVENT) {
      problems_.add(mark(event_.start_mark), "", "one document expected, found a second one",
                    "Remove the --- line and what follows it");
      return std::nullopt;
    }
    return root;
  }

 private:
  Mark mark(const yaml_mark_t& at) const {
    return Mark{file_, static_cast<unsigned>(at.line) + 1, static_cast<unsigned>(at.column) + 1};
  }

  bool next() {
    yaml_event_delete(&event_);
    if (yaml_parser_parse(&parser_, &event_) != 0) return true;
    syntax_problem();
    return false;
  }

  // libyaml's own words, with a cure for the mistakes that are made again and again.
  void syntax_problem() {
    if (parser_.error == YAML_READER_ERROR) {
      const std::size_t offset = std::min(parser_.problem_offset, text_.size());
      const auto line = 1 + std::count(text_.begin(), text_.begin() + static_cast<std::ptrdiff_t>(offset), '\n');
      problems_.add(Mark{file_, static_cast<unsigned>(line), 1}, "",
                    "printable UTF-8 text expected, found other bytes");
      return;
    }
    std::string message = "not well-formed YAML: ";
    if (parser_.context != nullptr) message += std::string(parser_.context) + ", ";
    message += parser_.problem != nullptr ? parser_.problem : "unknown trouble";
    const std::string_view line = line_text(parser_.problem_mark.line);
    std::string fix;
    if (line.substr(0, line.find_first_not_of(" \t")).find('\t') != std::string_view::npos)
      fix = "Indent with spaces, not with tabs";
    else if (line.find("[") != std::string_view::npos && line.find("]:") != std::string_view::npos)
      fix = "Quote an IPv6 address: \"[::1]:8443\"";
    else if (line.find(": *") != std::string_view::npos || line.find("- *") != std::string_view::npos ||
             line.find(": @") != std::string_view::npos || line.find(": %") != std::string_view::npos)
      fix = "Quote text that starts with a special character";
    problems_.add(mark(parser_.problem_mark), "", std::move(message), std::move(fix));
  }

  std::string_view line_text(std::size_t line) const {
    std::size_t start = 0;
    for (; line > 0; --line) {
      const std::size_t end = text_.find('\n', start);
      if (end == std::string_view::npos) return {};
      start = end + 1;
    }
    return text_.substr(start, text_.find('\n', start) - start);
  }

  void refuse_properties(const yaml_char_t* anchor, const yaml_char_t* tag, const std::string& path) {
    if (anchor != nullptr)
      problems_.add(mark(event_.start_mark), path, "anchors (&" + name_of(anchor) + ") are not accepted",
                    "Remove the anchor");
    if (tag != nullptr)
      problems_.add(mark(event_.start_mark), path, "tags (" + name_of(tag) + ") are not accepted",
                    "Remove the tag: the schema knows what each value is");
  }

  static std::string name_of(const yaml_char_t* text) {
    std::string name = quoted(reinterpret_cast<const char*>(text));
    return name.substr(1, name.size() - 2);
  }

  // The node that the present event starts; nothing when reading cannot go on.
  std::optional<Node> node(const std::string& path, int depth) {
    Node out;
    out.mark = mark(event_.start_mark);
    if (++nodes_ > max_nodes) {
      problems_.add(out.mark, path, "at most " + std::to_string(max_nodes) + " values expected, found more");
      return std::nullopt;
    }
    switch (event_.type) {
      case YAML_SCALAR_EVENT:
        refuse_properties(event_.data.scalar.anchor, event_.data.scalar.tag, path);
        out.kind = Node::Kind::scalar;
        out.text.assign(reinterpret_cast<const char*>(event_.data.scalar.value), event_.data.scalar.length);
        out.quoted = event_.data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
        return out;
      case YAML_ALIAS_EVENT:
        problems_.add(out.mark, path, "aliases (*" + name_of(event_.data.alias.anchor) + ") are not accepted",
                      "Write the value out, or quote text that starts with *");
        return out;
      case YAML_SEQUENCE_START_EVENT:
        refuse_properties(event_.data.sequence_start.anchor, event_.data.sequence_start.tag, path);
        if (too_deep(out, path, depth)) return std::nullopt;
        out.kind = Node::Kind::list;
        for (;;) {
          if (!next()) return std::nullopt;
          if (event_.type == YAML_SEQUENCE_END_EVENT) return out;
          std::optional<Node> item = node(join_path(path, out.items.size()), depth + 1);
          if (!item) return std::nullopt;
          out.items.push_back(std::move(*item));
        }
      case YAML_MAPPING_START_EVENT:
        refuse_properties(event_.data.mapping_start.anchor, event_.data.mapping_start.tag, path);
        if (too_deep(out, path, depth)) return std::nullopt;
        out.kind = Node::Kind::map;
        return map(std::move(out), path, depth);
      default:
        throw_bug("an event that cannot start a node");
    }
  }

  std::optional<Node> map(Node out, const std::string& path, int depth) {
    std::unordered_map<std::string, unsigned> lines;
    for (;;) {
      if (!next()) return std::nullopt;
      if (event_.type == YAML_MAPPING_END_EVENT) return out;
      std::optional<Node> key = node(path, depth + 1);
      if (!key) return std::nullopt;
      const bool named = key->kind == Node::Kind::scalar;
      if (key->kind == Node::Kind::list || key->kind == Node::Kind::map)
        problems_.add(key->mark, path, "a plain key expected, found " + key->describe());
      const std::string value_path = named ? join_path(path, key->text) : path;
      if (!next()) return std::nullopt;
      std::optional<Node> value = node(value_path, depth + 1);
      if (!value) return std::nullopt;
      if (!named) continue;
      const auto [first, inserted] = lines.emplace(key->text, key->mark.line);
      if (inserted)
        out.entries.push_back({std::move(key->text), std::move(key->mark), std::move(*value)});
      else
        problems_.add(key->mark, value_path, "given twice, first on line " + std::to_string(first->second),
                      "Keep one of them");
    }
  }

  bool too_deep(const Node& at, const std::string& path, int depth) {
    if (depth <= max_depth) return false;
    problems_.add(at.mark, path, "at most " + std::to_string(max_depth) + " levels expected, found more");
    return true;
  }

  std::string_view text_;
  std::shared_ptr<const std::string> file_;
  Problems& problems_;
  yaml_parser_t parser_{};
  yaml_event_t event_{};
  std::size_t nodes_ = 0;
};

}  // namespace

std::optional<Node> parse_yaml(std::string_view text, std::string_view file, Problems& problems) {
  if (text.size() > max_text_size) {
    problems.add(Mark{std::make_shared<const std::string>(file), 0, 0}, "",
                 "at most " + std::to_string(max_text_size) + " bytes expected, found " + std::to_string(text.size()));
    return std::nullopt;
  }
  return Parser(text, file, problems).document();
}

}  // namespace sallyport::config
