#pragma once

#include <chrono>
#include <concepts>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "sallyport/config/type.h"

namespace sallyport::config {

/// The text form of one enumerator. An enum becomes a type of settings by a function beside it that returns a list of
/// these: `inline std::vector<config::EnumName<Timing>> enum_names(Timing) { return {{Timing::handshake, "handshake",
/// "..."}, ...}; }`
template <class E>
struct EnumName {
  E value;
  std::string name;
  std::string doc;
};

/// A key of a schema.
struct FieldSpec {
  std::string name;
  std::string doc;
  TypePtr type;
  std::function<void*(void*)> member;
  bool required = false;
  bool dangerous = false;
  std::string example;
};
template <class C>
struct Field {
  FieldSpec spec;
};

// What may follow the docstring of a field. Anything that can be called with Options will do; a Schema can, and then
// describes the maps that the field holds.

/// Absence, or an empty list, is a problem.
inline constexpr auto required = [](Options& options) { options.required = true; };
/// Lowers a guarantee: collected when in force. Its name starts with `dangerous_`.
inline constexpr auto dangerous = [](Options& options) { options.dangerous = true; };
/// An empty text is a value too.
inline constexpr auto may_be_empty = [](Options& options) { options.may_be_empty = true; };

/// A value as one would write it, for the documentation.
inline auto example(std::string text) {
  return [text = std::move(text)](Options& options) { options.example = text; };
}

struct RangeOption {
  Range range;
  void operator()(Options& options) const { options.range = range; }
};
template <std::integral T>
Range range_of(T low, T high) {
  return {Unit::count, static_cast<std::int64_t>(low), static_cast<std::int64_t>(high)};
}
inline Range range_of(std::chrono::nanoseconds low, std::chrono::nanoseconds high) {
  return {Unit::nanoseconds, low.count(), high.count()};
}
inline Range range_of(ByteSize low, ByteSize high) {
  return {Unit::bytes, static_cast<std::int64_t>(low.bytes), static_cast<std::int64_t>(high.bytes)};
}
/// Values from `low` to `high`, both included. For lists, of each item.
template <class T>
RangeOption between(T low, T high) {
  return {range_of(low, high)};
}
template <class T, class U>
  requires(!std::is_same_v<T, U>)
RangeOption between(T low, U high) {
  return {range_of(std::common_type_t<T, U>(low), std::common_type_t<T, U>(high))};
}
template <class T>
RangeOption at_least(T low) {
  Range range = range_of(low, low);
  range.high = std::numeric_limits<std::int64_t>::max();
  return {range};
}
template <class T>
RangeOption at_most(T high) {
  Range range = range_of(high, high);
  range.low = std::numeric_limits<std::int64_t>::min();
  return {range};
}

/// Units: bytes of a text.
inline auto length(std::size_t low, std::size_t high) {
  return [=](Options& options) { options.length = Size{low, high}; };
}
/// How many items a list has.
inline auto items(std::size_t low, std::size_t high) {
  return [=](Options& options) { options.items = Size{low, high}; };
}

/// A test of its own for each T in the field: returns what is wrong (`"a host name expected, found \"x y\""`) or
/// nothing. Pure.
template <class T, class F>
auto checked(F test) {
  return [test](Options& options) {
    options.checks.push_back({typeid(T), [test](const void* value) -> std::optional<std::string> {
                                return test(*static_cast<const T*>(value));
                              }});
  };
}

template <class T>
struct OptionalOf : std::false_type {};
template <class T>
struct OptionalOf<std::optional<T>> : std::true_type {};
template <class T>
struct ListOf : std::false_type {};
template <class T>
struct ListOf<std::vector<T>> : std::true_type {};
template <class T>
struct VariantOf : std::false_type {};
template <class... T>
struct VariantOf<std::variant<T...>> : std::true_type {
  static std::vector<VariantCase> cases() {
    using V = std::variant<T...>;
    return {
        VariantCase{typeid(T), [](void* out) -> void* { return &static_cast<V*>(out)->template emplace<T>(); },
                    [](const void* value) -> const void* { return std::get_if<T>(static_cast<const V*>(value)); }}...};
  }
};
template <class T>
struct DurationOf : std::false_type {};
template <class Rep, class Period>
struct DurationOf<std::chrono::duration<Rep, Period>> : std::is_integral<Rep> {
  static constexpr std::int64_t tick =
      std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::duration<Rep, Period>(1)).count();
  static IntegerAccess access() {
    using D = std::chrono::duration<Rep, Period>;
    return {typeid(D),
            [](const void* value) { return static_cast<std::int64_t>(static_cast<const D*>(value)->count()); },
            [](void* out, std::int64_t count) { *static_cast<D*>(out) = D(static_cast<Rep>(count)); }};
  }
};

/// The Type for members of type T.
template <class T>
TypePtr type_of(const Options& options) {
  if constexpr (std::is_same_v<T, bool>) {
    return make_bool_type(options);
  } else if constexpr (std::is_integral_v<T>) {
    constexpr auto highest = std::numeric_limits<std::int64_t>::max();
    constexpr auto high = static_cast<std::uint64_t>(std::numeric_limits<T>::max());
    return make_integer_type(
        options, static_cast<std::int64_t>(std::numeric_limits<T>::min()),
        high > static_cast<std::uint64_t>(highest) ? highest : static_cast<std::int64_t>(high),
        {typeid(T), [](const void* value) { return static_cast<std::int64_t>(*static_cast<const T*>(value)); },
         [](void* out, std::int64_t value) { *static_cast<T*>(out) = static_cast<T>(value); }});
  } else if constexpr (std::is_enum_v<T>) {
    std::vector<NamedValue> names;
    for (const auto& name : enum_names(T{}))
      names.push_back({std::string(name.name), static_cast<std::int64_t>(name.value), std::string(name.doc)});
    return make_enum_type(
        options, std::move(names),
        {typeid(T), [](const void* value) { return static_cast<std::int64_t>(*static_cast<const T*>(value)); },
         [](void* out, std::int64_t value) { *static_cast<T*>(out) = static_cast<T>(value); }});
  } else if constexpr (DurationOf<T>::value) {
    return make_duration_type(options, DurationOf<T>::tick, DurationOf<T>::access());
  } else if constexpr (std::is_same_v<T, std::string>) {
    return make_text_type(options);
  } else if constexpr (std::is_same_v<T, ByteSize>) {
    return make_byte_size_type(options);
  } else if constexpr (std::is_same_v<T, Rate>) {
    return make_rate_type(options);
  } else if constexpr (std::is_same_v<T, Address>) {
    return make_address_type(options);
  } else if constexpr (std::is_same_v<T, FilePath>) {
    return make_file_path_type(options);
  } else if constexpr (std::is_same_v<T, SecretSource>) {
    return make_secret_type(options);
  } else if constexpr (std::is_same_v<T, Choice>) {
    return make_choice_type(options);
  } else if constexpr (VariantOf<T>::value) {
    return make_variant_type(options, VariantOf<T>::cases());
  } else if constexpr (OptionalOf<T>::value) {
    using V = typename T::value_type;
    static_assert(!std::is_same_v<V, SecretSource>, "a SecretSource can be empty by itself");
    return make_optional_type(type_of<V>(options), {[](void* out) -> void* { return &static_cast<T*>(out)->emplace(); },
                                                    [](void* out) { static_cast<T*>(out)->reset(); },
                                                    [](const void* value) -> const void* {
                                                      const T& optional = *static_cast<const T*>(value);
                                                      return optional ? &*optional : nullptr;
                                                    }});
  } else if constexpr (ListOf<T>::value) {
    using V = typename T::value_type;
    static_assert(!std::is_same_v<V, bool> && !std::is_same_v<V, SecretSource> && !ListOf<V>::value);
    return make_list_type(
        options, type_of<V>(options),
        {typeid(T), [](void* out) { static_cast<T*>(out)->clear(); },
         [](void* out) -> void* { return &static_cast<T*>(out)->emplace_back(); },
         [](const void* value) { return static_cast<const T*>(value)->size(); },
         [](const void* value, std::size_t index) -> const void* { return &(*static_cast<const T*>(value))[index]; }});
  } else {
    static_assert(std::is_class_v<T>, "no type of settings");
    return make_struct_type(options, typeid(T));
  }
}

FieldSpec make_field(std::string name, std::string doc, TypePtr type, std::function<void*(void*)> member,
                     const Options& options);

/// The key `name`, which fills `member`. `doc` is one or more sentences of Markdown for the reference page.
/// A member of type SecretSource called `x` is written `x_file: PATH` or `x: env:NAME`.
template <class C, class T, class... O>
Field<C> field(T C::* member, std::string name, std::string doc, const O&... options) {
  Options all;
  (options(all), ...);
  return {make_field(
      std::move(name), std::move(doc), type_of<T>(all),
      [member](void* config) -> void* { return &(static_cast<C*>(config)->*member); }, all)};
}

}  // namespace sallyport::config
