#include "sallyport/config/schema.h"

#include <algorithm>
#include <charconv>

namespace sallyport::config {

namespace {

std::string file_key(const FieldSpec& field) { return field.name + "_file"; }

// The secret's path, when it can be one.
bool read_secret_file(const FieldSpec& field, const Node& node, const std::string& path, SecretSource& out,
                      Reader& reader) {
  if (node.kind == Node::Kind::refused) return false;
  // The value may be the secret itself, put under the wrong key, so it is never quoted.
  if (node.kind != Node::Kind::scalar || node.is_nothing() || node.text.empty()) {
    reader.problems.add(
        node.mark, path,
        "path of a file expected, found " + (node.text.empty() ? node.describe() : std::string("other text")));
    return false;
  }
  if (node.text.starts_with("env:")) {
    reader.problems.add(node.mark, path, "path of a file expected, found env:",
                        "Write " + field.name + ": env:NAME when the variable holds the secret");
    return false;
  }
  for (const char c : node.text) {
    if (static_cast<unsigned char>(c) >= 0x20 && c != 0x7F) continue;
    reader.problems.add(node.mark, path, "path of a file expected, found text with control characters",
                        "Put the secret into a file of its own and write its path here");
    return false;
  }
  if (node.text.starts_with('~')) {
    reader.problems.add(node.mark, path, "path of a file expected, found one that starts with ~",
                        "~ is not expanded: write the whole path");
    return false;
  }
  out = {SecretSource::Kind::file, resolve_path(reader.context, node.text)};
  return true;
}

bool read_secret_name(const FieldSpec& field, const Node& node, const std::string& path, SecretSource& out,
                      Reader& reader) {
  if (node.kind == Node::Kind::refused) return false;
  if (node.kind == Node::Kind::scalar) {
    if (const auto name = parse_environment_name(node.text)) {
      out = {SecretSource::Kind::environment, std::string(*name)};
      return true;
    }
  }
  reader.problems.add(
      node.mark, path, "env:NAME expected, found something else; a secret never stands in the configuration itself",
      "Put it into a file of its own and write " + file_key(field) + ": PATH, or write " + field.name + ": env:NAME");
  return false;
}

const Node::Entry* find_entry(const Node& node, std::string_view key) {
  for (const Node::Entry& entry : node.entries)
    if (entry.key == key) return &entry;
  return nullptr;
}

bool is_given(const FieldSpec& field, const Node& node) {
  return find_entry(node, field.name) != nullptr ||
         (field.type->is_secret() && find_entry(node, file_key(field)) != nullptr);
}

std::string keys_of(const FieldSpec& field) {
  return field.type->is_secret() ? file_key(field) + ": PATH, or " + field.name + ": env:NAME" : field.name;
}

std::string join_words(const std::vector<std::string>& words, const char* between) {
  std::string out;
  for (const std::string& word : words) out += (out.empty() ? "" : between) + word;
  return out;
}

void report_unknown(const SchemaData& schema, const Node::Entry& entry, const std::string& path, Reader& reader) {
  std::vector<std::string> keys;
  for (const FieldSpec& field : schema.fields) {
    if (field.type->is_secret()) keys.push_back(file_key(field));
    keys.push_back(field.name);
  }
  const std::string_view near = nearest(entry.key, {keys.begin(), keys.end()});
  std::string fix;
  if (!near.empty())
    fix = "Did you mean " + std::string(near) + "?";
  else if (keys.empty())
    fix = "Nothing can be set here";
  else
    fix = "Known here: " + join_words(keys, ", ");
  reader.problems.add(entry.mark, join_path(path, entry.key), "unknown key", std::move(fix));
}

void report_missing(const FieldSpec& field, const Node& node, const std::string& path, Reader& reader) {
  std::string fix = "Add " + keys_of(field);
  std::string example = field.example.empty() ? field.type->example() : field.example;
  if (!field.type->is_secret()) fix += example.empty() ? " (" + field.type->name() + ")" : ": " + example;
  reader.problems.add(node.mark, join_path(path, field.name), "required, but absent", std::move(fix));
}

bool read_field(const SchemaData& schema, const FieldSpec& field, const Node& node, const std::string& path, void* out,
                Reader& reader) {
  void* member = field.member(out);
  const Node::Entry* entry = find_entry(node, field.name);
  bool good = true;
  if (field.type->is_secret()) {
    const Node::Entry* file = find_entry(node, file_key(field));
    auto& secret = *static_cast<SecretSource*>(member);
    if (file != nullptr && entry != nullptr) {
      reader.problems.add(std::max(file, entry)->mark, join_path(path, field.name),
                          "given twice, as " + file_key(field) + " and as " + field.name, "Keep one of them");
      return false;
    }
    if (file != nullptr)
      good = read_secret_file(field, file->value, join_path(path, file->key), secret, reader);
    else if (entry != nullptr)
      good = read_secret_name(field, entry->value, join_path(path, entry->key), secret, reader);
    entry = file != nullptr ? file : entry;
  } else if (entry != nullptr) {
    good = field.type->read(entry->value, join_path(path, field.name), member, reader);
  }
  if (entry == nullptr) {
    if (!field.required) return true;
    report_missing(field, node, path, reader);
    return false;
  }
  if (good && field.dangerous && field.type->show(member) != field.type->show(schema.default_of(field)))
    reader.dangers.push_back({entry->mark, join_path(path, field.name), field.name, field.doc});
  return good;
}

bool check_groups(const SchemaData& schema, const Node& node, const std::string& path, Reader& reader) {
  const auto given_of = [&](const std::vector<std::string>& keys) {
    std::vector<std::string> given;
    for (const std::string& key : keys) {
      if (is_given(*schema.find(key), node)) given.push_back(key);
    }
    return given;
  };
  bool good = true;
  for (const auto& keys : schema.exactly_one) {
    const auto given = given_of(keys);
    if (given.size() == 1) continue;
    good = false;
    reader.problems.add(node.mark, path,
                        "exactly one of " + join_words(keys, ", ") + " expected, found " +
                            (given.empty() ? "none" : join_words(given, " and ")),
                        given.empty() ? "" : "Keep one of them");
  }
  for (const auto& keys : schema.at_most_one) {
    const auto given = given_of(keys);
    if (given.size() <= 1) continue;
    good = false;
    reader.problems.add(node.mark, path,
                        "at most one of " + join_words(keys, ", ") + " expected, found " + join_words(given, " and "),
                        "Keep one of them");
  }
  return good;
}

}  // namespace

const FieldSpec* SchemaData::find(std::string_view key) const {
  for (const FieldSpec& field : fields) {
    if (field.name == key) return &field;
    if (field.type->is_secret() && key.size() == field.name.size() + 5 && key.starts_with(field.name) &&
        key.ends_with("_file"))
      return &field;
  }
  return nullptr;
}

bool SchemaData::needs_value() const {
  return !exactly_one.empty() ||
         std::any_of(fields.begin(), fields.end(), [](const FieldSpec& field) { return field.required; });
}

SchemaPtr with_rule(const SchemaData& schema, Rule rule) {
  for (const std::string& name : rule.fields) SALLYPORT_CHECK(schema.find(name) != nullptr);
  auto data = std::make_shared<SchemaData>(schema);
  data->rules.push_back(std::move(rule));
  return data;
}

SchemaPtr as_list(const SchemaData& schema) {
  SALLYPORT_CHECK(schema.fields.size() == 1 && !schema.fields.front().type->suffix().empty());
  auto data = std::make_shared<SchemaData>(schema);
  data->written_as_list = true;
  return data;
}

SchemaPtr with_group(const SchemaData& schema, std::vector<std::vector<std::string>> SchemaData::* groups,
                     std::vector<std::string> keys) {
  for (const std::string& key : keys) {
    const FieldSpec* field = schema.find(key);
    SALLYPORT_CHECK(field != nullptr && !field->required);
  }
  auto data = std::make_shared<SchemaData>(schema);
  (data.get()->*groups).push_back(std::move(keys));
  return data;
}

FieldSpec make_field(std::string name, std::string doc, TypePtr type, std::function<void*(void*)> member,
                     const Options& options) {
  SALLYPORT_CHECK(!name.empty() && !doc.empty());
  // The prefix and the mark go together: what is dangerous says so wherever its name stands.
  SALLYPORT_CHECK(options.dangerous == name.starts_with("dangerous_"));
  const unsigned takes = type->takes();
  SALLYPORT_CHECK(!options.range || (takes & takes_range) != 0);
  SALLYPORT_CHECK(!(options.length || options.may_be_empty) || (takes & takes_length) != 0);
  SALLYPORT_CHECK(!options.items || (takes & takes_items) != 0);
  SALLYPORT_CHECK(!options.nested || (takes & takes_nested) != 0);
  SALLYPORT_CHECK(options.alternatives.empty() || (takes & takes_alternatives) != 0);
  for (const ValueCheck& check : options.checks) SALLYPORT_CHECK(type->holds(check.type));
  return {std::move(name),  std::move(doc),    std::move(type), std::move(member),
          options.required, options.dangerous, options.example};
}

SchemaPtr make_schema(std::string name, std::string doc, std::vector<FieldSpec> fields, std::type_index type,
                      std::function<std::shared_ptr<void>()> make) {
  auto data = std::make_shared<SchemaData>();
  data->name = std::move(name);
  data->doc = std::move(doc);
  data->type = type;
  data->defaults = make();
  data->make = std::move(make);
  for (FieldSpec& field : fields) {
    SALLYPORT_CHECK(data->find(field.name) == nullptr);
    SALLYPORT_CHECK(!field.type->is_secret() || data->find(file_key(field)) == nullptr);
    data->fields.push_back(std::move(field));
    FieldSpec& added = data->fields.back();
    added.required = added.required || added.type->needs_value(data->default_of(added));
  }
  return data;
}

bool read_struct(const SchemaData& schema, const Node& node, const std::string& path, void* out, Reader& reader) {
  if (node.kind == Node::Kind::refused) return false;
  if (schema.written_as_list) {
    const FieldSpec& list = schema.fields.front();
    return list.type->read(node, path, list.member(out), reader);
  }
  if (node.kind != Node::Kind::map) {
    reader.problems.add(node.mark, path, "map expected, found " + node.describe(),
                        node.is_nothing() && !schema.needs_value() ? "Write {} for the defaults" : "");
    return false;
  }
  bool good = true;
  for (const Node::Entry& entry : node.entries) {
    if (schema.find(entry.key) != nullptr) continue;
    report_unknown(schema, entry, path, reader);
    good = false;
  }
  // A misspelt key may be the one that a group misses; one problem is enough for one mistake.
  if (good) good = check_groups(schema, node, path, reader);
  std::vector<std::string_view> broken;
  for (const FieldSpec& field : schema.fields)
    if (!read_field(schema, field, node, path, out, reader)) broken.push_back(field.name);
  good = good && broken.empty();
  const std::size_t before = reader.problems.size();
  for (const Rule& rule : schema.rules) {
    const bool judged =
        rule.fields.empty() ? good : std::none_of(rule.fields.begin(), rule.fields.end(), [&](const auto& name) {
          return std::find(broken.begin(), broken.end(), name) != broken.end();
        });
    if (!judged) continue;
    Check check(node, path, reader.problems);
    rule.test(out, check);
  }
  return good && reader.problems.size() == before;
}

namespace {

// The node at `where` below `node`, or the deepest one on the way to it; `whole` says whether the way was walked to its
// end.
const Node& locate(const Node& node, std::string_view where, bool& whole) {
  const Node* at = &node;
  whole = true;
  while (!where.empty()) {
    if (where.front() == '.') where.remove_prefix(1);
    const Node* next = nullptr;
    if (where.starts_with('[')) {
      const std::size_t end = std::min(where.find(']'), where.size());
      std::size_t index = 0;
      std::from_chars(where.data() + 1, where.data() + end, index);
      where.remove_prefix(std::min(end + 1, where.size()));
      if (at->kind == Node::Kind::list && index < at->items.size()) next = &at->items[index];
    } else {
      const std::size_t end = std::min(where.find_first_of(".["), where.size());
      const std::string key(where.substr(0, end));
      where.remove_prefix(end);
      next = at->find(key);
      if (next == nullptr) next = at->find(key + "_file");
    }
    if (next == nullptr) {
      whole = false;
      return *at;
    }
    at = next;
  }
  return *at;
}

}  // namespace

void Check::problem(std::string_view where, std::string message, std::string fix) {
  bool whole = false;
  std::string path = path_;
  if (!where.empty() && !path.empty() && where.front() != '[') path += '.';
  path += where;
  problems_.add(locate(node_, where, whole).mark, std::move(path), std::move(message), std::move(fix));
}

void Check::problem(const Choice& choice, std::string_view where, std::string message, std::string fix) {
  // A choice knows its path from the top; this check stands somewhere above it.
  std::string_view path = choice.path;
  SALLYPORT_CHECK(path.starts_with(path_));
  path.remove_prefix(path_.size());
  if (path.starts_with('.')) path.remove_prefix(1);
  problem(where.empty() ? std::string(path) : std::string(path) + "." + std::string(where), std::move(message),
          std::move(fix));
}

bool Check::is_given(std::string_view where) const {
  bool whole = false;
  locate(node_, where, whole);
  return whole;
}

void check_acknowledged(const std::vector<Danger>& dangers, const std::vector<std::string>& acknowledged,
                        Check& check) {
  for (const Danger& danger : dangers) {
    if (std::find(acknowledged.begin(), acknowledged.end(), danger.name) != acknowledged.end()) continue;
    check.problem(danger.path, "lowers a guarantee and is not acknowledged: " + danger.doc,
                  "Remove it, or add " + danger.name + " to acknowledge");
  }
  for (std::size_t index = 0; index < acknowledged.size(); ++index) {
    const bool used = std::any_of(dangers.begin(), dangers.end(),
                                  [&](const Danger& danger) { return danger.name == acknowledged[index]; });
    if (used) continue;
    check.problem(join_path("acknowledge", index), quoted(acknowledged[index]) + " is acknowledged, but not in force",
                  "Remove it from the list");
  }
}

}  // namespace sallyport::config
