#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "sallyport/base/result.h"

/// Structured Field Values (RFC 9651, which takes the place of RFC 8941): the syntax of Signature-Input, Signature and Client-Cert.
namespace sallyport::http::structured {

struct Token {
  std::string text;
  bool operator==(const Token&) const = default;
};
struct Binary {
  std::string bytes;
  bool operator==(const Binary&) const = default;
};
struct Decimal {
  std::int64_t thousandths = 0;
  bool operator==(const Decimal&) const = default;
};
/// Units: seconds since 1970.
struct Date {
  std::int64_t seconds = 0;
  bool operator==(const Date&) const = default;
};
/// UTF-8.
struct DisplayString {
  std::string text;
  bool operator==(const DisplayString&) const = default;
};

/// The std::string is the String of the specification: printable ASCII.
using BareItem = std::variant<std::int64_t, Decimal, std::string, Token, Binary, bool, Date, DisplayString>;

/// In their order; names are unique.
using Parameters = std::vector<std::pair<std::string, BareItem>>;

struct Item {
  BareItem value;
  Parameters parameters;
  bool operator==(const Item&) const = default;
};
struct InnerList {
  std::vector<Item> items;
  Parameters parameters;
  bool operator==(const InnerList&) const = default;
};
using Member = std::variant<Item, InnerList>;
using List = std::vector<Member>;
/// In its order; names are unique.
using Dictionary = std::vector<std::pair<std::string, Member>>;

/// The parameter called `name`, or nullptr.
const BareItem* find(const Parameters& parameters, std::string_view name);
/// The member called `name`, or nullptr.
const Member* find(const Dictionary& dictionary, std::string_view name);

/// What becomes of a name that stands twice in a dictionary or among parameters.
enum class Duplicates : std::uint8_t {
  last_wins,  ///< as RFC 9651 §4.2 has it
  refused,    ///< for what decides about access: nobody can read it in two ways
};

/// Each reads the whole value of a field whose lines were joined by commas.
/// Trust:  `text` is hostile.
/// Units:  at most 1024 members of a list or dictionary, 256 items of an inner list, 256 parameters.
/// Errors: `request.invalid` for anything that RFC 9651 §4.2 fails on, for more than that, and as `duplicates` says.
/// Spec:   RFC 9651 §4.2; stricter: base64 in its canonical form only.
Result<Item> parse_item(std::string_view text, Duplicates duplicates = Duplicates::last_wins);
Result<List> parse_list(std::string_view text, Duplicates duplicates = Duplicates::last_wins);
Result<Dictionary> parse_dictionary(std::string_view text, Duplicates duplicates = Duplicates::last_wins);

/// The one text that a value has. What the parsers would not have given (a String beyond ASCII, an integer of 16 digits, a name that is
/// none) is a bug.
/// Spec: RFC 9651 §4.1.
std::string serialize(const BareItem& item);
std::string serialize(const Parameters& parameters);
std::string serialize(const Item& item);
std::string serialize(const InnerList& list);
std::string serialize(const Member& member);
std::string serialize(const List& list);
std::string serialize(const Dictionary& dictionary);

}  // namespace sallyport::http::structured
