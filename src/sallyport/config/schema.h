#pragma once

#include <initializer_list>

#include "sallyport/config/field.h"

/// One declaration of a struct of settings, from which come its parser, defaults, validation, JSON Schema, reference
/// page and `explain`.
namespace sallyport::config {

class Check;

struct Rule {
  std::function<void(const void*, Check&)> test;
  std::vector<std::string> fields;  ///< those that must have been read without a problem; empty means all
};

/// A schema with its struct's type erased.
struct SchemaData {
  std::string name;
  std::string doc;
  std::vector<FieldSpec> fields;
  std::vector<Rule> rules;
  std::vector<std::vector<std::string>> exactly_one;
  std::vector<std::vector<std::string>> at_most_one;
  bool written_as_list = false;  ///< in place of the map stands the list that its only field holds
  std::type_index type = typeid(void);
  std::function<std::shared_ptr<void>()> make;  ///< a struct with its defaults
  std::shared_ptr<void> defaults;

  const FieldSpec* find(std::string_view key) const;
  bool needs_value() const;
  const void* default_of(const FieldSpec& field) const { return field.member(defaults.get()); }
};

class AnySchema {
 public:
  explicit AnySchema(SchemaPtr data) : data_(std::move(data)) {}
  const SchemaData& operator*() const { return *data_; }
  const SchemaData* operator->() const { return data_.get(); }
  const SchemaPtr& data() const { return data_; }
  /// As an option of a field: the schema of the map, or maps, that it holds.
  void operator()(Options& options) const { options.nested = data_; }

 protected:
  SchemaPtr data_;
};

/// What a rule over several settings is given to speak with.
class Check {
 public:
  Check(const Node& node, std::string path, Problems& problems)
      : node_(node), path_(std::move(path)), problems_(problems) {}
  /// Reports a problem at `where`, a path below the struct at hand (`match.path`, `routes[2].name`; empty: the struct
  /// itself).
  void problem(std::string_view where, std::string message, std::string fix = {});
  /// Reports a problem at `where`, a path below the settings of the plug that `choice` chose.
  void problem(const Choice& choice, std::string_view where, std::string message, std::string fix = {});
  /// Whether `where` was written at all.
  bool is_given(std::string_view where) const;

 private:
  const Node& node_;
  std::string path_;
  Problems& problems_;
};

SchemaPtr with_rule(const SchemaData& schema, Rule rule);
SchemaPtr as_list(const SchemaData& schema);
SchemaPtr with_group(const SchemaData& schema, std::vector<std::vector<std::string>> SchemaData::* groups,
                     std::vector<std::string> keys);

template <class C>
class Schema : public AnySchema {
 public:
  using AnySchema::AnySchema;

  /// The same schema with a rule over several settings: `test(const C&, Check&)`, pure. It is asked only when the
  /// `fields` that it looks at (none named: all) were read without a problem, so it never judges half-read values.
  template <class F>
  Schema validated_by(F test, std::vector<std::string> fields = {}) const {
    return Schema(
        with_rule(*data_, {[test](const void* config, Check& check) { test(*static_cast<const C*>(config), check); },
                           std::move(fields)}));
  }
  /// The same schema, written as the list that its only field holds: `all_of: [..]`.
  Schema written_as_list() const { return Schema(as_list(*data_)); }
  /// The same schema, in which exactly one of `keys` is written.
  Schema exactly_one_of(std::vector<std::string> keys) const {
    return Schema(with_group(*data_, &SchemaData::exactly_one, std::move(keys)));
  }
  /// The same schema, in which at most one of `keys` is written.
  Schema at_most_one_of(std::vector<std::string> keys) const {
    return Schema(with_group(*data_, &SchemaData::at_most_one, std::move(keys)));
  }
};

SchemaPtr make_schema(std::string name, std::string doc, std::vector<FieldSpec> fields, std::type_index type,
                      std::function<std::shared_ptr<void>()> make);

/// The schema of C, called `name` in the documentation. Defaults are those of a C that nobody touched.
template <class C, std::same_as<Field<C>>... F>
Schema<C> schema(std::string name, std::string doc, Field<C> first, F... rest) {
  std::vector<FieldSpec> fields;
  fields.reserve(1 + sizeof...(rest));
  fields.push_back(std::move(first.spec));
  (fields.push_back(std::move(rest.spec)), ...);
  return Schema<C>(make_schema(std::move(name), std::move(doc), std::move(fields), typeid(C),
                               [] { return std::static_pointer_cast<void>(std::make_shared<C>()); }));
}
/// The schema of a C that has no settings yet: `memory: {}`.
template <class C>
Schema<C> schema(std::string name, std::string doc) {
  return Schema<C>(make_schema(std::move(name), std::move(doc), {}, typeid(C),
                               [] { return std::static_pointer_cast<void>(std::make_shared<C>()); }));
}

/// One key of a one-of.
inline Alternative choice(std::string key, const AnySchema& schema) { return {std::move(key), schema.data()}; }
/// The field is a map with exactly one key, which chooses among `alternatives`. The member is a std::variant with the
/// structs of all their schemas, or a Choice.
inline auto one_of(std::vector<Alternative> alternatives) {
  return [alternatives = std::move(alternatives)](Options& options) { options.alternatives = alternatives; };
}

/// Fills `out`, a struct of `schema`'s type. False when a problem was found.
bool read_struct(const SchemaData& schema, const Node& node, const std::string& path, void* out, Reader& reader);

/// A configuration that was read, or every reason why not.
template <class C>
class Reading {
 public:
  C config{};
  Problems problems;
  std::vector<Danger> dangers;  ///< every `dangerous_*` setting in force, in the order of the file
  Node root;                    ///< what `config` was read from

  bool ok() const { return problems.empty(); }
  /// For what can only be found out by looking at the world, such as a file that does not exist: adds problems at their
  /// places in the file.
  /// Lifetime: this Reading's.
  Check check() { return Check(root, "", problems); }
};

/// Reads and validates `root`. Pure: looks at nothing but its arguments.
/// Trust: `root` is hostile.
template <class C>
Reading<C> read(const Schema<C>& schema, Node root, const Context& context) {
  Reading<C> out;
  out.root = std::move(root);
  Reader reader{context, out.problems, out.dangers};
  read_struct(*schema, out.root, "", &out.config, reader);
  return out;
}

/// Parses, reads and validates `text`, called `file` in problems.
/// Trust: `text` is hostile.
template <class C>
Reading<C> read(const Schema<C>& schema, std::string_view text, std::string_view file, const Context& context) {
  Reading<C> out;
  Reader reader{context, out.problems, out.dangers};
  if (auto node = parse_yaml(text, file, out.problems)) {
    out.root = std::move(*node);
    read_struct(*schema, out.root, "", &out.config, reader);
  }
  return out;
}

/// Reports each of `dangers` that `acknowledged` does not name, and each name there that nothing answers to. `check` is
/// the whole configuration's, in which `acknowledged` stands under `acknowledge`.
void check_acknowledged(const std::vector<Danger>& dangers, const std::vector<std::string>& acknowledged, Check& check);

}  // namespace sallyport::config
