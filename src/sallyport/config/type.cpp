#include "sallyport/config/type.h"

#include <algorithm>

#include "sallyport/config/schema.h"

namespace sallyport::config {

std::string resolve_path(const Context& context, std::string_view path) {
  if (path.starts_with('/') || context.folder.empty()) return std::string(path);
  std::string out = context.folder;
  if (!out.ends_with('/')) out += '/';
  while (path.starts_with("./")) path.remove_prefix(2);
  out += path;
  return out;
}

namespace {

std::string show_text(std::string_view text) {
  const bool plain = !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' ||
           c == '/' || c == '.';
  });
  if (plain) return std::string(text);
  std::string out;
  json::append_quoted(out, text);
  return out;
}

std::string range_text(const Range& range, std::string (*show)(std::int64_t)) {
  const bool low = range.low != std::numeric_limits<std::int64_t>::min();
  const bool high = range.high != std::numeric_limits<std::int64_t>::max();
  if (low && high) return "from " + show(range.low) + " to " + show(range.high);
  if (low) return "at least " + show(range.low);
  if (high) return "at most " + show(range.high);
  return {};
}

// `unit` in the singular.
std::string size_text(const Size& size, const std::string& unit) {
  const auto count = [&](std::size_t number) { return std::to_string(number) + " " + unit + (number == 1 ? "" : "s"); };
  const bool high = size.high != std::numeric_limits<std::size_t>::max();
  if (high && size.low == size.high) return count(size.high);
  if (high && size.low > 0) return std::to_string(size.low) + " to " + count(size.high);
  if (high) return "at most " + count(size.high);
  if (size.low > 0) return "at least " + count(size.low);
  return {};
}

// The range of a field, which must be in the unit of its type: 5m on a number of bytes is a bug in the schema.
Range range_in(const Options& options, Unit unit) {
  if (!options.range) return Range{unit};
  SALLYPORT_CHECK(options.range->unit == unit && options.range->low <= options.range->high);
  return *options.range;
}

bool run_checks(const std::vector<ValueCheck>& checks, std::type_index type, const void* value, const Node& node,
                const std::string& path, Reader& reader) {
  bool good = true;
  for (const ValueCheck& check : checks) {
    if (check.type != type) continue;
    if (auto wrong = check.test(value)) {
      reader.problems.add(node.mark, path, std::move(*wrong));
      good = false;
    }
  }
  return good;
}

json::Value or_environment(json::Value schema) {
  return json::Object{{"anyOf", json::Array{std::move(schema), json::Object{{"$ref", "#/$defs/environment"}}}}};
}

json::Value pattern_schema(const char* pattern) {
  return or_environment(json::Object{{"type", "string"}, {"pattern", pattern}});
}

/// What is wrong with a scalar: what was expected instead (the type's name and limits when empty) and the fix.
struct Complaint {
  std::string expected;
  std::string fix;
};

class ScalarType : public Type {
 public:
  ScalarType(const Options& options, std::type_index type) : checks_(options.checks), type_(type) {}

  bool read(const Node& node, const std::string& path, void* out, Reader& reader) const final {
    if (node.kind == Node::Kind::refused) return false;
    if (node.kind != Node::Kind::scalar || node.is_nothing()) {
      reader.problems.add(node.mark, path, full_name() + " expected, found " + node.describe(), hint());
      return false;
    }
    std::string_view text = node.text;
    std::string found = node.describe();
    std::optional<std::string> outside;
    if (text.starts_with("env:")) {
      const auto name = parse_environment_name(text);
      if (!name) {
        reader.problems.add(node.mark, path, "env: and the name of a variable expected, found " + found,
                            "A name is letters, digits and underscores");
        return false;
      }
      outside = reader.context.environment(*name);
      if (!outside) {
        reader.problems.add(node.mark, path, "environment variable " + std::string(*name) + " is not set");
        return false;
      }
      // What the environment holds may be confidential, so no message quotes it.
      found = "the value of environment variable " + std::string(*name);
      text = *outside;
    } else if (node.quoted && !is_text()) {
      reader.problems.add(node.mark, path, full_name() + " expected, found the text " + found, "Remove the quotes");
      return false;
    }
    if (auto complaint = parse(text, out, reader)) {
      reader.problems.add(
          node.mark, path,
          (complaint->expected.empty() ? full_name() : complaint->expected) + " expected, found " + found,
          std::move(complaint->fix));
      return false;
    }
    return run_checks(checks_, type_, out, node, path, reader);
  }
  bool holds(std::type_index type) const final { return type == type_; }

 protected:
  virtual std::optional<Complaint> parse(std::string_view text, void* out, Reader& reader) const = 0;
  /// How to write a good one.
  virtual std::string hint() const { return {}; }
  /// Whether a quoted scalar is as good as a plain one.
  virtual bool is_text() const { return true; }
  Complaint complain() const { return {{}, hint()}; }
  std::string full_name() const {
    const std::string limits = allowed();
    return limits.empty() ? name() : name() + " " + limits;
  }

 private:
  std::vector<ValueCheck> checks_;
  std::type_index type_;
};

class BoolType final : public ScalarType {
 public:
  explicit BoolType(const Options& options) : ScalarType(options, typeid(bool)) {}
  std::string show(const void* value) const override { return *static_cast<const bool*>(value) ? "true" : "false"; }
  std::optional<json::Value> json_value(const void* value) const override {
    return json::Value(*static_cast<const bool*>(value));
  }
  json::Value json_schema() const override { return or_environment(json::Object{{"type", "boolean"}}); }
  std::string name() const override { return "true or false"; }

 protected:
  bool is_text() const override { return false; }
  std::optional<Complaint> parse(std::string_view text, void* out, Reader&) const override {
    if (text == "true" || text == "false") {
      *static_cast<bool*>(out) = text == "true";
      return std::nullopt;
    }
    if (text == "yes" || text == "on" || text == "True" || text == "TRUE" || text == "Yes" || text == "On")
      return Complaint{{}, "Write true"};
    if (text == "no" || text == "off" || text == "False" || text == "FALSE" || text == "No" || text == "Off")
      return Complaint{{}, "Write false"};
    return complain();
  }
};

class IntegerType final : public ScalarType {
 public:
  IntegerType(const Options& options, std::int64_t low, std::int64_t high, IntegerAccess access)
      : ScalarType(options, access.type), range_(range_in(options, Unit::count)), access_(access) {
    range_.low = std::max(range_.low, low);
    range_.high = std::min(range_.high, high);
  }
  unsigned takes() const override { return takes_range; }
  std::string show(const void* value) const override { return std::to_string(access_.load(value)); }
  std::optional<json::Value> json_value(const void* value) const override { return json::Value(access_.load(value)); }
  json::Value json_schema() const override {
    json::Object out{{"type", "integer"}};
    if (range_.low != std::numeric_limits<std::int64_t>::min()) out.emplace_back("minimum", range_.low);
    if (range_.high != std::numeric_limits<std::int64_t>::max()) out.emplace_back("maximum", range_.high);
    return or_environment(std::move(out));
  }
  std::string name() const override { return "whole number"; }
  std::string allowed() const override {
    return range_text(range_, [](std::int64_t value) { return std::to_string(value); });
  }

 protected:
  bool is_text() const override { return false; }
  std::optional<Complaint> parse(std::string_view text, void* out, Reader&) const override {
    const auto value = parse_integer(text);
    if (!value || *value < range_.low || *value > range_.high) return complain();
    access_.store(out, *value);
    return std::nullopt;
  }

 private:
  Range range_;
  IntegerAccess access_;
};

class DurationType final : public ScalarType {
 public:
  DurationType(const Options& options, std::int64_t tick, IntegerAccess access)
      : ScalarType(options, access.type), range_(range_in(options, Unit::nanoseconds)), tick_(tick), access_(access) {}
  unsigned takes() const override { return takes_range; }
  std::string show(const void* value) const override {
    return config::show(std::chrono::nanoseconds(access_.load(value) * tick_));
  }
  json::Value json_schema() const override { return pattern_schema("^(0|[1-9][0-9]*)(ms|s|m|h|d)$"); }
  std::string name() const override { return "duration"; }
  std::string allowed() const override {
    return range_text(range_, [](std::int64_t value) { return config::show(std::chrono::nanoseconds(value)); });
  }
  std::string example() const override { return "30s"; }

 protected:
  std::string hint() const override { return "Write a whole number with ms, s, m, h or d, such as 30s"; }
  std::optional<Complaint> parse(std::string_view text, void* out, Reader&) const override {
    const auto value = parse_duration(text);
    if (!value) return complain();
    if (value->count() < range_.low || value->count() > range_.high) return Complaint{};
    if (value->count() % tick_ != 0)
      return Complaint{"duration in whole steps of " + config::show(std::chrono::nanoseconds(tick_)), {}};
    access_.store(out, value->count() / tick_);
    return std::nullopt;
  }

 private:
  Range range_;
  std::int64_t tick_;
  IntegerAccess access_;
};

class EnumType final : public ScalarType {
 public:
  EnumType(const Options& options, std::vector<NamedValue> names, IntegerAccess access)
      : ScalarType(options, access.type), names_(std::move(names)), access_(access) {
    SALLYPORT_CHECK(!names_.empty());
  }
  std::string show(const void* value) const override {
    for (const NamedValue& name : names_)
      if (name.value == access_.load(value)) return name.name;
    return {};
  }
  json::Value json_schema() const override {
    json::Array alternatives;
    for (const NamedValue& name : names_) {
      json::Object constant{{"const", name.name}};
      if (!name.doc.empty()) constant.emplace_back("description", name.doc);
      alternatives.emplace_back(std::move(constant));
    }
    alternatives.emplace_back(json::Object{{"$ref", "#/$defs/environment"}});
    return json::Object{{"anyOf", std::move(alternatives)}};
  }
  std::string name() const override {
    std::string out = "one of ";
    for (const NamedValue& name : names_) out += (&name == &names_.front() ? "" : ", ") + name.name;
    return out;
  }

 protected:
  std::optional<Complaint> parse(std::string_view text, void* out, Reader&) const override {
    std::vector<std::string_view> known;
    for (const NamedValue& name : names_) {
      if (name.name == text) {
        access_.store(out, name.value);
        return std::nullopt;
      }
      known.push_back(name.name);
    }
    const std::string_view near = nearest(text, known);
    return Complaint{{}, near.empty() ? "" : "Did you mean " + std::string(near) + "?"};
  }

 private:
  std::vector<NamedValue> names_;
  IntegerAccess access_;
};

bool has_control_character(std::string_view text) {
  return std::any_of(text.begin(), text.end(), [](char c) {
    return static_cast<unsigned char>(c) < 0x20 || static_cast<unsigned char>(c) == 0x7F;
  });
}

class TextType final : public ScalarType {
 public:
  explicit TextType(const Options& options)
      : ScalarType(options, typeid(std::string)),
        length_(options.length.value_or(Size{options.may_be_empty ? std::size_t{0} : std::size_t{1}})),
        limited_(options.length.has_value()) {}
  unsigned takes() const override { return takes_length; }
  std::string show(const void* value) const override { return show_text(*static_cast<const std::string*>(value)); }
  std::optional<json::Value> json_value(const void* value) const override {
    const std::string& text = *static_cast<const std::string*>(value);
    if (text.empty()) return std::nullopt;
    return json::Value(text);
  }
  json::Value json_schema() const override {
    json::Object out{{"type", "string"}};
    // Lengths here are bytes and JSON Schema counts characters, so only the lower limit carries over.
    if (length_.low > 0) out.emplace_back("minLength", std::int64_t{1});
    return out;
  }
  std::string name() const override { return "text"; }
  std::string allowed() const override { return limited_ ? "of " + size_text(length_, "byte") : ""; }

 protected:
  std::optional<Complaint> parse(std::string_view text, void* out, Reader&) const override {
    if (has_control_character(text)) return Complaint{"text without control characters", {}};
    if (text.empty() && length_.low > 0) return Complaint{"text that is not empty", {}};
    if (text.size() < length_.low || text.size() > length_.high) return Complaint{};
    *static_cast<std::string*>(out) = text;
    return std::nullopt;
  }

 private:
  Size length_;
  bool limited_;
};

class ByteSizeType final : public ScalarType {
 public:
  explicit ByteSizeType(const Options& options)
      : ScalarType(options, typeid(ByteSize)), range_(range_in(options, Unit::bytes)) {}
  unsigned takes() const override { return takes_range; }
  std::string show(const void* value) const override { return config::show(*static_cast<const ByteSize*>(value)); }
  json::Value json_schema() const override {
    return json::Object{
        {"anyOf", json::Array{json::Object{{"type", "integer"}, {"minimum", std::int64_t{0}}},
                              json::Object{{"type", "string"}, {"pattern", "^(0|[1-9][0-9]*)(KiB|MiB|GiB)?$"}},
                              json::Object{{"$ref", "#/$defs/environment"}}}}};
  }
  std::string name() const override { return "size"; }
  std::string allowed() const override {
    return range_text(range_,
                      [](std::int64_t value) { return config::show(ByteSize{static_cast<std::uint64_t>(value)}); });
  }
  std::string example() const override { return "64KiB"; }

 protected:
  std::string hint() const override {
    return "Write a whole number of bytes, or one with KiB, MiB or GiB, such as 64KiB";
  }
  std::optional<Complaint> parse(std::string_view text, void* out, Reader&) const override {
    const auto value = parse_byte_size(text);
    if (!value) return complain();
    const auto bytes = static_cast<std::int64_t>(value->bytes);
    if (bytes < range_.low || bytes > range_.high) return Complaint{};
    *static_cast<ByteSize*>(out) = *value;
    return std::nullopt;
  }

 private:
  Range range_;
};

class RateType final : public ScalarType {
 public:
  explicit RateType(const Options& options) : ScalarType(options, typeid(Rate)) {}
  std::string show(const void* value) const override { return config::show(*static_cast<const Rate*>(value)); }
  json::Value json_schema() const override { return pattern_schema("^[1-9][0-9]*/(s|m|h|d)$"); }
  std::string name() const override { return "rate"; }
  std::string example() const override { return "100/s"; }

 protected:
  std::string hint() const override { return "Write a whole number above 0 per s, m, h or d, such as 100/s"; }
  std::optional<Complaint> parse(std::string_view text, void* out, Reader&) const override {
    const auto value = parse_rate(text);
    if (!value) return complain();
    *static_cast<Rate*>(out) = *value;
    return std::nullopt;
  }
};

class AddressType final : public ScalarType {
 public:
  explicit AddressType(const Options& options) : ScalarType(options, typeid(Address)) {}
  std::string show(const void* value) const override { return config::show(*static_cast<const Address*>(value)); }
  std::optional<json::Value> json_value(const void* value) const override {
    if (static_cast<const Address*>(value)->host.empty()) return std::nullopt;
    return json::Value(show(value));
  }
  json::Value json_schema() const override { return pattern_schema("^([0-9.]+|\\[[0-9A-Fa-f:.]+\\]):[0-9]{1,5}$"); }
  std::string name() const override { return "IP address and port"; }
  std::string example() const override { return "127.0.0.1:8443"; }

 protected:
  std::string hint() const override { return "Write 127.0.0.1:8443, 0.0.0.0:8443 or \"[::1]:8443\" with its quotes"; }
  std::optional<Complaint> parse(std::string_view text, void* out, Reader&) const override {
    auto value = parse_address(text);
    if (!value) return complain();
    *static_cast<Address*>(out) = std::move(*value);
    return std::nullopt;
  }
};

std::optional<Complaint> complain_about_path(std::string_view text) {
  if (text.empty()) return Complaint{"path that is not empty", {}};
  if (has_control_character(text)) return Complaint{"path without control characters", {}};
  if (text.starts_with('~')) return Complaint{{}, "~ is not expanded: write the whole path"};
  return std::nullopt;
}

class FilePathType final : public ScalarType {
 public:
  explicit FilePathType(const Options& options) : ScalarType(options, typeid(FilePath)) {}
  std::string show(const void* value) const override { return show_text(static_cast<const FilePath*>(value)->path); }
  std::optional<json::Value> json_value(const void* value) const override {
    if (static_cast<const FilePath*>(value)->empty()) return std::nullopt;
    return json::Value(static_cast<const FilePath*>(value)->path);
  }
  json::Value json_schema() const override { return json::Object{{"type", "string"}, {"minLength", std::int64_t{1}}}; }
  std::string name() const override { return "path of a file"; }

 protected:
  std::optional<Complaint> parse(std::string_view text, void* out, Reader& reader) const override {
    if (auto complaint = complain_about_path(text)) return complaint;
    static_cast<FilePath*>(out)->path = resolve_path(reader.context, text);
    return std::nullopt;
  }
};

// Two keys make one secret, so read_secret in schema.cpp reads it; this describes it.
class SecretType final : public Type {
 public:
  bool read(const Node&, const std::string&, void*, Reader&) const override { throw_bug("a secret read as one key"); }
  bool holds(std::type_index) const override { return false; }
  std::string show(const void* value) const override {
    return static_cast<const SecretSource*>(value)->empty() ? "none" : static_cast<const SecretSource*>(value)->where;
  }
  std::optional<json::Value> json_value(const void*) const override { return std::nullopt; }
  json::Value json_schema() const override { return json::Object{{"$ref", "#/$defs/environment"}}; }
  std::string name() const override { return "secret"; }
  bool is_secret() const override { return true; }
};

class StructType final : public Type {
 public:
  StructType(const Options& options, std::type_index type) : schema_(options.nested) {
    SALLYPORT_CHECK(schema_ != nullptr && schema_->type == type);
  }
  bool read(const Node& node, const std::string& path, void* out, Reader& reader) const override {
    return read_struct(*schema_, node, path, out, reader);
  }
  unsigned takes() const override { return takes_nested; }
  bool holds(std::type_index) const override { return false; }
  std::string show(const void*) const override { return "{}"; }
  std::optional<json::Value> json_value(const void*) const override { return std::nullopt; }
  json::Value json_schema() const override { return {}; }
  std::string name() const override { return "map"; }
  SchemaPtr nested() const override { return schema_; }
  bool needs_value(const void*) const override { return schema_->needs_value(); }

 private:
  SchemaPtr schema_;
};

class ListType final : public Type {
 public:
  ListType(const Options& options, TypePtr item, ListAccess access)
      : item_(std::move(item)), access_(access), items_(options.items.value_or(Size{})), checks_(options.checks) {
    if (options.required) items_.low = std::max<std::size_t>(items_.low, 1);
  }
  bool read(const Node& node, const std::string& path, void* out, Reader& reader) const override {
    if (node.kind == Node::Kind::refused) return false;
    if (node.kind != Node::Kind::list) {
      std::string fix;
      if (node.kind == Node::Kind::scalar && !node.is_nothing() && !item_->nested() && !item_->alternatives())
        fix = "Write [" + node.text.substr(0, 60) + "]";
      else if (node.kind == Node::Kind::map)
        fix = "Start each item with a - of its own";
      if (has_control_character(fix)) fix.clear();
      reader.problems.add(node.mark, path, name() + " expected, found " + node.describe(), std::move(fix));
      return false;
    }
    bool good = true;
    const std::size_t count = node.items.size();
    if (count < items_.low || count > items_.high) {
      reader.problems.add(
          node.mark, path,
          size_text(items_, "item") + " expected, found " + (count == 0 ? "none" : std::to_string(count)));
      good = false;
    }
    access_.clear(out);
    for (std::size_t index = 0; index < count; ++index)
      good = item_->read(node.items[index], join_path(path, index), access_.append(out), reader) && good;
    return good && run_checks(checks_, access_.type, out, node, path, reader);
  }
  unsigned takes() const override { return item_->takes() | takes_items; }
  bool holds(std::type_index type) const override { return type == access_.type || item_->holds(type); }
  std::string show(const void* value) const override {
    std::string out = "[";
    const std::size_t size = access_.size(value);
    for (std::size_t index = 0; index < size; ++index)
      out += (index == 0 ? "" : ", ") + item_->show(access_.at(value, index));
    return out + "]";
  }
  std::optional<json::Value> json_value(const void* value) const override {
    json::Array out;
    const std::size_t size = access_.size(value);
    for (std::size_t index = 0; index < size; ++index) {
      auto item = item_->json_value(access_.at(value, index));
      if (!item) return std::nullopt;
      out.push_back(std::move(*item));
    }
    return json::Value(std::move(out));
  }
  json::Value json_schema() const override { return item_->json_schema(); }
  std::string name() const override { return "list of " + item_->name() + (item_->name() == "map" ? "s" : ""); }
  std::string allowed() const override {
    std::string out = item_->allowed();
    const std::string size = size_text(items_, "item");
    if (!out.empty() && !size.empty()) out += "; ";
    return out + size;
  }
  std::string example() const override {
    const std::string item = item_->example();
    return item.empty() ? "" : "[" + item + "]";
  }
  std::string suffix() const override { return "[]"; }
  SchemaPtr nested() const override { return item_->nested(); }
  const std::vector<Alternative>* alternatives() const override { return item_->alternatives(); }

 private:
  TypePtr item_;
  ListAccess access_;
  Size items_;
  std::vector<ValueCheck> checks_;
};

class OptionalType final : public Type {
 public:
  OptionalType(TypePtr inner, OptionalAccess access) : inner_(std::move(inner)), access_(access) {}
  bool read(const Node& node, const std::string& path, void* out, Reader& reader) const override {
    if (inner_->read(node, path, access_.emplace(out), reader)) return true;
    access_.reset(out);
    return false;
  }
  unsigned takes() const override { return inner_->takes(); }
  bool holds(std::type_index type) const override { return inner_->holds(type); }
  std::string show(const void* value) const override {
    const void* inner = access_.get(value);
    return inner == nullptr ? "none" : inner_->show(inner);
  }
  std::optional<json::Value> json_value(const void* value) const override {
    const void* inner = access_.get(value);
    return inner == nullptr ? std::nullopt : inner_->json_value(inner);
  }
  json::Value json_schema() const override { return inner_->json_schema(); }
  std::string name() const override { return inner_->name(); }
  std::string allowed() const override { return inner_->allowed(); }
  std::string example() const override { return inner_->example(); }
  std::string suffix() const override { return inner_->suffix(); }
  SchemaPtr nested() const override { return inner_->nested(); }
  const std::vector<Alternative>* alternatives() const override { return inner_->alternatives(); }

 private:
  TypePtr inner_;
  OptionalAccess access_;
};

class OneOfType : public Type {
 public:
  explicit OneOfType(const Options& options) : alternatives_(options.alternatives) {
    SALLYPORT_CHECK(!alternatives_.empty());
  }
  unsigned takes() const override { return takes_alternatives; }
  bool holds(std::type_index) const override { return false; }
  std::optional<json::Value> json_value(const void*) const override { return std::nullopt; }
  json::Value json_schema() const override { return {}; }
  std::string name() const override {
    std::string out = "map with one key of ";
    for (const Alternative& alternative : alternatives_)
      out += (&alternative == &alternatives_.front() ? "" : ", ") + alternative.key;
    return out;
  }
  const std::vector<Alternative>* alternatives() const override { return &alternatives_; }

 protected:
  /// The entry that chooses and the index of what it chooses.
  std::pair<const Node::Entry*, std::size_t> select(const Node& node, const std::string& path, Reader& reader) const {
    if (node.kind == Node::Kind::refused) return {};
    if (node.kind == Node::Kind::scalar && !node.is_nothing()) {
      reader.problems.add(
          node.mark, path, name() + " expected, found " + node.describe(),
          index_of(node.text) < alternatives_.size() ? "Write " + node.text + ": {}" : suggestion(node.text));
      return {};
    }
    if (node.kind != Node::Kind::map) {
      reader.problems.add(node.mark, path, name() + " expected, found " + node.describe());
      return {};
    }
    if (node.entries.empty()) {
      reader.problems.add(node.mark, path, name() + " expected, found an empty map");
      return {};
    }
    std::pair<const Node::Entry*, std::size_t> chosen{};
    std::string found;
    for (const Node::Entry& entry : node.entries) {
      const std::size_t index = index_of(entry.key);
      if (index == alternatives_.size()) {
        reader.problems.add(entry.mark, join_path(path, entry.key), "unknown key", suggestion(entry.key));
        continue;
      }
      found += (found.empty() ? "" : " and ") + entry.key;
      if (chosen.first != nullptr) {
        reader.problems.add(entry.mark, path, name() + " expected, found " + found, "Keep one of them");
        return {};
      }
      chosen = {&entry, index};
    }
    if (chosen.first != nullptr && chosen.first->key.starts_with("dangerous_")) {
      reader.dangers.push_back({chosen.first->mark, join_path(path, chosen.first->key), chosen.first->key,
                                alternatives_[chosen.second].schema->doc});
    }
    return chosen;
  }

  std::size_t index_of(std::string_view key) const {
    const auto at =
        std::find_if(alternatives_.begin(), alternatives_.end(), [&](const Alternative& a) { return a.key == key; });
    return static_cast<std::size_t>(at - alternatives_.begin());
  }

  std::vector<Alternative> alternatives_;

 private:
  std::string suggestion(std::string_view key) const {
    std::vector<std::string_view> known;
    std::string list;
    for (const Alternative& alternative : alternatives_) {
      known.push_back(alternative.key);
      list += (list.empty() ? "" : ", ") + alternative.key;
    }
    const std::string_view near = nearest(key, known);
    return near.empty() ? "Known here: " + list : "Did you mean " + std::string(near) + "?";
  }
};

class VariantType final : public OneOfType {
 public:
  VariantType(const Options& options, std::vector<VariantCase> cases) : OneOfType(options) {
    // In the order of the alternatives; each must have its own type in the variant.
    for (const Alternative& alternative : alternatives_) {
      const auto at = std::find_if(cases.begin(), cases.end(),
                                   [&](const VariantCase& one) { return one.type == alternative.schema->type; });
      SALLYPORT_CHECK(at != cases.end());
      cases_.push_back(*at);
    }
  }
  bool read(const Node& node, const std::string& path, void* out, Reader& reader) const override {
    const auto [entry, index] = select(node, path, reader);
    if (entry == nullptr) return false;
    return read_struct(*alternatives_[index].schema, entry->value, join_path(path, entry->key),
                       cases_[index].emplace(out), reader);
  }
  std::string show(const void* value) const override {
    const std::size_t index = held(value);
    return index < cases_.size() ? "{" + alternatives_[index].key + ": {}}" : "none";
  }
  bool needs_value(const void* value) const override {
    const std::size_t index = held(value);
    return index < cases_.size() && alternatives_[index].schema->needs_value();
  }

 private:
  std::size_t held(const void* value) const {
    std::size_t index = 0;
    while (index < cases_.size() && cases_[index].get(value) == nullptr) ++index;
    return index;
  }
  std::vector<VariantCase> cases_;
};

class ChoiceType final : public OneOfType {
 public:
  explicit ChoiceType(const Options& options) : OneOfType(options) {}
  bool read(const Node& node, const std::string& path, void* out, Reader& reader) const override {
    const auto [entry, index] = select(node, path, reader);
    if (entry == nullptr) return false;
    Choice& choice = *static_cast<Choice*>(out);
    const SchemaData& schema = *alternatives_[index].schema;
    choice.kind = entry->key;
    choice.path = join_path(path, entry->key);
    choice.mark = entry->mark;
    const std::shared_ptr<void> value = schema.make();
    const bool good = read_struct(schema, entry->value, choice.path, value.get(), reader);
    choice.hold(value, schema.type);
    return good;
  }
  std::string show(const void* value) const override {
    const Choice& choice = *static_cast<const Choice*>(value);
    return choice.empty() ? "none" : "{" + choice.kind + ": {}}";
  }
};

}  // namespace

TypePtr make_bool_type(const Options& options) { return std::make_shared<BoolType>(options); }
TypePtr make_integer_type(const Options& options, std::int64_t low, std::int64_t high, IntegerAccess access) {
  return std::make_shared<IntegerType>(options, low, high, access);
}
TypePtr make_duration_type(const Options& options, std::int64_t tick_nanoseconds, IntegerAccess access) {
  return std::make_shared<DurationType>(options, tick_nanoseconds, access);
}
TypePtr make_enum_type(const Options& options, std::vector<NamedValue> names, IntegerAccess access) {
  return std::make_shared<EnumType>(options, std::move(names), access);
}
TypePtr make_text_type(const Options& options) { return std::make_shared<TextType>(options); }
TypePtr make_byte_size_type(const Options& options) { return std::make_shared<ByteSizeType>(options); }
TypePtr make_rate_type(const Options& options) { return std::make_shared<RateType>(options); }
TypePtr make_address_type(const Options& options) { return std::make_shared<AddressType>(options); }
TypePtr make_file_path_type(const Options& options) { return std::make_shared<FilePathType>(options); }
TypePtr make_secret_type(const Options&) { return std::make_shared<SecretType>(); }
TypePtr make_struct_type(const Options& options, std::type_index type) {
  return std::make_shared<StructType>(options, type);
}
TypePtr make_list_type(const Options& options, TypePtr item, ListAccess access) {
  return std::make_shared<ListType>(options, std::move(item), access);
}
TypePtr make_optional_type(TypePtr inner, OptionalAccess access) {
  return std::make_shared<OptionalType>(std::move(inner), access);
}
TypePtr make_variant_type(const Options& options, std::vector<VariantCase> cases) {
  return std::make_shared<VariantType>(options, std::move(cases));
}
TypePtr make_choice_type(const Options& options) { return std::make_shared<ChoiceType>(options); }

}  // namespace sallyport::config
