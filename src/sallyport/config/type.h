#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <typeindex>
#include <utility>
#include <vector>

#include "sallyport/base/json.h"
#include "sallyport/config/environment.h"
#include "sallyport/config/node.h"
#include "sallyport/config/value.h"

/// The types of settings behind one face, so that a schema is ordinary data and templates stay thin: `field.h` picks
/// the Type for a member and hands it the few typed pieces (how to store, how to append); all else is compiled once, in
/// type.cpp.
namespace sallyport::config {

struct SchemaData;
using SchemaPtr = std::shared_ptr<const SchemaData>;

/// What reading depends on besides the text.
struct Context {
  std::string folder;  ///< of the configuration file; relative paths start here. Empty leaves them as they are
  Environment environment = empty_environment();
};

/// A setting that lowers a guarantee and is in force.
struct Danger {
  Mark mark;
  std::string path;
  std::string name;  ///< `dangerous_plaintext`, as `acknowledge` must list it
  std::string doc;
};

struct Reader {
  const Context& context;
  Problems& problems;
  std::vector<Danger>& dangers;
};

/// One key of a one-of and the schema of what stands under it.
struct Alternative {
  std::string key;
  SchemaPtr schema;
};

/// One alternative of a one-of whose alternatives are plugs, read and validated.
class Choice {
 public:
  std::string kind;  ///< the key, which is the plug's name; empty when nothing was chosen
  std::string path;
  Mark mark;

  bool empty() const { return kind.empty(); }
  /// The plug's settings when they are a C, nullptr otherwise.
  template <class C>
  const C* get() const {
    return value_ && type_ == typeid(C) ? static_cast<const C*>(value_.get()) : nullptr;
  }
  void hold(std::shared_ptr<const void> value, std::type_index type) {
    value_ = std::move(value);
    type_ = type;
  }

 private:
  std::shared_ptr<const void> value_;
  std::type_index type_ = typeid(void);
};

enum class Unit : std::uint8_t { count, nanoseconds, bytes };
struct Range {
  Unit unit = Unit::count;
  std::int64_t low = std::numeric_limits<std::int64_t>::min();
  std::int64_t high = std::numeric_limits<std::int64_t>::max();
};
struct Size {
  std::size_t low = 0;
  std::size_t high = std::numeric_limits<std::size_t>::max();
};
/// A field's own test of a value of `type`: what is wrong with it, or nothing.
struct ValueCheck {
  std::type_index type;
  std::function<std::optional<std::string>(const void*)> test;
};

/// What a field says about its values besides their C++ type.
struct Options {
  bool required = false;
  bool dangerous = false;
  bool may_be_empty = false;
  std::string example;
  std::optional<Range> range;
  std::optional<Size> length;
  std::optional<Size> items;
  std::vector<ValueCheck> checks;
  SchemaPtr nested;
  std::vector<Alternative> alternatives;
};

/// The options that only some types know; on any other they would be lost in silence, so a schema with one there is a
/// bug.
enum Takes : unsigned { takes_range = 1, takes_length = 2, takes_items = 4, takes_nested = 8, takes_alternatives = 16 };

/// Reads, shows and describes the values of one type.
class Type {
 public:
  virtual ~Type() = default;
  /// Fills `out`, an object of this type. False when a problem was found here or below, now or when the text was
  /// parsed.
  virtual bool read(const Node& node, const std::string& path, void* out, Reader& reader) const = 0;
  /// The value as one would write it.
  virtual std::string show(const void* value) const = 0;
  /// The value for the `default` of a JSON Schema; nothing when there is none worth stating.
  virtual std::optional<json::Value> json_value(const void* value) const { return json::Value(show(value)); }
  virtual json::Value json_schema() const = 0;
  /// What it is, in words: `duration`, `list of text`.
  virtual std::string name() const = 0;
  /// The limits of its values, in words: `from 0s to 5m`; may be empty.
  virtual std::string allowed() const { return {}; }
  virtual std::string example() const { return {}; }
  /// What a path adds below the name: `[]` for a list.
  virtual std::string suffix() const { return {}; }
  /// The schema of the map, or of the maps in the list.
  virtual SchemaPtr nested() const { return nullptr; }
  virtual const std::vector<Alternative>* alternatives() const { return nullptr; }
  /// Whether the default leaves something unsaid that must be said.
  virtual bool needs_value(const void*) const { return false; }
  virtual bool is_secret() const { return false; }
  /// Which options mean something to it, a set of Takes.
  virtual unsigned takes() const { return 0; }
  /// Whether a ValueCheck for `type` would ever be asked.
  virtual bool holds(std::type_index type) const = 0;
};
using TypePtr = std::shared_ptr<const Type>;

struct IntegerAccess {
  std::type_index type;
  std::int64_t (*load)(const void*);
  void (*store)(void*, std::int64_t);
};
struct ListAccess {
  std::type_index type;
  void (*clear)(void*);
  void* (*append)(void*);
  std::size_t (*size)(const void*);
  const void* (*at)(const void*, std::size_t);
};
struct OptionalAccess {
  void* (*emplace)(void*);
  void (*reset)(void*);
  const void* (*get)(const void*);
};
struct VariantCase {
  std::type_index type;
  void* (*emplace)(void*);
  const void* (*get)(const void*);  ///< nullptr when another alternative is held
};
struct NamedValue {
  std::string name;
  std::int64_t value;
  std::string doc;
};

TypePtr make_bool_type(const Options& options);
TypePtr make_integer_type(const Options& options, std::int64_t low, std::int64_t high, IntegerAccess access);
TypePtr make_duration_type(const Options& options, std::int64_t tick_nanoseconds, IntegerAccess access);
TypePtr make_enum_type(const Options& options, std::vector<NamedValue> names, IntegerAccess access);
TypePtr make_text_type(const Options& options);
TypePtr make_byte_size_type(const Options& options);
TypePtr make_rate_type(const Options& options);
TypePtr make_address_type(const Options& options);
TypePtr make_file_path_type(const Options& options);
TypePtr make_secret_type(const Options& options);
TypePtr make_struct_type(const Options& options, std::type_index type);
TypePtr make_list_type(const Options& options, TypePtr item, ListAccess access);
TypePtr make_optional_type(TypePtr inner, OptionalAccess access);
TypePtr make_variant_type(const Options& options, std::vector<VariantCase> cases);
TypePtr make_choice_type(const Options& options);

/// `path` from the configuration file's folder.
std::string resolve_path(const Context& context, std::string_view path);

}  // namespace sallyport::config
