#include "sallyport/http/structured.h"

#include <algorithm>
#include <unordered_map>

#include "sallyport/base/encoding.h"
#include "sallyport/http/grammar.h"

namespace sallyport::http::structured {
namespace {

constexpr std::size_t max_members = 1024;
constexpr std::size_t max_inner_items = 256;
constexpr std::size_t max_parameters = 256;
constexpr std::int64_t max_integer = 999'999'999'999'999;

Error invalid(std::string_view what) { return {Reason::request_invalid, "structured field: " + std::string(what)}; }

constexpr bool is_lower(char c) { return c >= 'a' && c <= 'z'; }
constexpr bool starts_key(char c) { return is_lower(c) || c == '*'; }
constexpr bool is_key_char(char c) {
  return is_lower(c) || is_digit(c) || c == '_' || c == '-' || c == '.' || c == '*';
}
constexpr bool starts_token(char c) { return is_alpha(c) || c == '*'; }
constexpr bool is_further_token_char(char c) { return is_token_char(c) || c == ':' || c == '/'; }
constexpr bool is_string_char(char c) { return c >= 0x20 && c < 0x7f; }

// One pass from left to right, by the algorithms of §4.2.
class Parser {
 public:
  Parser(std::string_view text, Duplicates duplicates) : rest_(text), duplicates_(duplicates) { skip_spaces(); }

  Result<void> finish() {
    skip_spaces();
    if (!rest_.empty()) return invalid("something stands behind the value");
    return {};
  }

  Result<List> list() {
    List out;
    while (!rest_.empty()) {
      if (out.size() == max_members) return invalid("more than 1024 members");
      TRY(Member one, member());
      out.push_back(std::move(one));
      TRY_OK(separator());
    }
    return out;
  }

  Result<Dictionary> dictionary() {
    Dictionary out;
    Places places;
    while (!rest_.empty()) {
      TRY(std::string name, key());
      Member value = Item{true, {}};
      if (take('=')) {
        TRY(value, member());
      } else {
        TRY(std::get<Item>(value).parameters, parameters());
      }
      TRY_OK(put(out, places, std::move(name), std::move(value), max_members));
      TRY_OK(separator());
    }
    return out;
  }

  Result<Item> item() {
    TRY(BareItem value, bare_item());
    TRY(Parameters more, parameters());
    return Item{std::move(value), std::move(more)};
  }

 private:
  bool at(char c) const { return !rest_.empty() && rest_.front() == c; }
  bool take(char c) {
    if (!at(c)) return false;
    rest_.remove_prefix(1);
    return true;
  }
  void skip_spaces() {
    while (take(' ')) {
    }
  }
  void skip_white() {
    while (take(' ') || take('\t')) {
    }
  }
  template <class Test>
  std::string_view take_while(Test test) {
    const auto end = std::find_if_not(rest_.begin(), rest_.end(), test);
    const std::string_view taken = rest_.substr(0, static_cast<std::size_t>(end - rest_.begin()));
    rest_.remove_prefix(taken.size());
    return taken;
  }

  // Between two members; at the end of the field there is none, and a comma promises another member.
  Result<void> separator() {
    skip_white();
    if (rest_.empty()) return {};
    if (!take(',')) return invalid("a comma is missing between two members");
    skip_white();
    if (rest_.empty()) return invalid("a comma stands at the end");
    return {};
  }

  // Where each name stands, so that a thousand of them cost no comparison with each other.
  using Places = std::unordered_map<std::string, std::size_t>;

  template <class Map, class Value>
  Result<void> put(Map& map, Places& places, std::string name, Value value, std::size_t most) {
    const auto [place, is_new] = places.try_emplace(name, map.size());
    if (is_new) {
      if (map.size() == most) return invalid("more than " + std::to_string(most) + " names");
      map.emplace_back(std::move(name), std::move(value));
      return {};
    }
    if (duplicates_ == Duplicates::refused) return invalid("the name " + name + " stands there twice");
    map[place->second].second = std::move(value);
    return {};
  }

  Result<Member> member() {
    if (at('(')) {
      TRY(InnerList list, inner_list());
      return Member(std::move(list));
    }
    TRY(Item one, item());
    return Member(std::move(one));
  }

  Result<InnerList> inner_list() {
    take('(');
    InnerList out;
    for (;;) {
      skip_spaces();
      if (take(')')) {
        TRY(out.parameters, parameters());
        return out;
      }
      if (out.items.size() == max_inner_items) return invalid("more than 256 items in an inner list");
      TRY(Item one, item());
      out.items.push_back(std::move(one));
      if (!at(' ') && !at(')')) return invalid("an inner list is not closed, or a space is missing in it");
    }
  }

  Result<Parameters> parameters() {
    Parameters out;
    Places places;
    while (take(';')) {
      skip_spaces();
      TRY(std::string name, key());
      BareItem value = true;
      if (take('=')) {
        TRY(value, bare_item());
      }
      TRY_OK(put(out, places, std::move(name), std::move(value), max_parameters));
    }
    return out;
  }

  Result<std::string> key() {
    if (rest_.empty() || !starts_key(rest_.front())) return invalid("a name is missing");
    return std::string(take_while(is_key_char));
  }

  Result<BareItem> bare_item() {
    if (rest_.empty()) return invalid("a value is missing");
    const char first = rest_.front();
    if (first == '-' || is_digit(first)) return number();
    if (first == '"') return string();
    if (starts_token(first)) return BareItem(Token{std::string(take_while(is_further_token_char))});
    if (first == ':') return binary();
    if (first == '?') return boolean();
    if (first == '@') return date();
    if (first == '%') return display_string();
    return invalid("a value begins with a byte that begins none");
  }

  Result<BareItem> number() {
    const bool negative = take('-');
    const std::string_view whole = take_while(is_digit);
    if (whole.empty()) return invalid("a number without digits");
    const std::int64_t sign = negative ? -1 : 1;
    const auto value_of = [](std::string_view digits) {
      std::int64_t value = 0;
      for (const char digit : digits) value = value * 10 + (digit - '0');
      return value;
    };
    if (!take('.')) {
      if (whole.size() > 15) return invalid("an integer of more than 15 digits");
      return BareItem(sign * value_of(whole));
    }
    const std::string_view fraction = take_while(is_digit);
    if (whole.size() > 12) return invalid("a decimal of more than 12 digits before the point");
    if (fraction.empty() || fraction.size() > 3)
      return invalid("a decimal without one to three digits behind the point");
    std::int64_t thousandths = value_of(fraction);
    for (std::size_t i = fraction.size(); i < 3; ++i) thousandths *= 10;
    return BareItem(Decimal{sign * (value_of(whole) * 1000 + thousandths)});
  }

  Result<BareItem> string() {
    take('"');
    std::string out;
    while (!rest_.empty()) {
      const char c = rest_.front();
      rest_.remove_prefix(1);
      if (c == '"') return BareItem(std::move(out));
      if (!is_string_char(c)) return invalid("a string holds a byte beyond printable ASCII");
      if (c != '\\') {
        out.push_back(c);
        continue;
      }
      if (!at('"') && !at('\\'))
        return invalid("a backslash in a string before something else than a quote or a backslash");
      out.push_back(rest_.front());
      rest_.remove_prefix(1);
    }
    return invalid("a string is not closed");
  }

  Result<BareItem> binary() {
    take(':');
    const std::size_t end = rest_.find(':');
    if (end == std::string_view::npos) return invalid("binary data is not closed");
    auto bytes = base64_decode(rest_.substr(0, end));
    if (!bytes.ok()) return invalid("binary data is no canonical base64");
    rest_.remove_prefix(end + 1);
    return BareItem(Binary{std::move(bytes).value()});
  }

  Result<BareItem> boolean() {
    take('?');
    if (take('1')) return BareItem(true);
    if (take('0')) return BareItem(false);
    return invalid("a boolean is neither ?0 nor ?1");
  }

  Result<BareItem> date() {
    take('@');
    TRY(const BareItem seconds, number());
    const auto* whole = std::get_if<std::int64_t>(&seconds);
    if (!whole) return invalid("a date is no whole number of seconds");
    return BareItem(Date{*whole});
  }

  Result<BareItem> display_string() {
    take('%');
    if (!take('"')) return invalid("a display string does not begin with a quote");
    std::string out;
    while (!rest_.empty()) {
      const char c = rest_.front();
      rest_.remove_prefix(1);
      if (c == '"') {
        if (!is_utf8(out)) return invalid("a display string is not UTF-8");
        return BareItem(DisplayString{std::move(out)});
      }
      if (!is_string_char(c)) return invalid("a display string holds a byte beyond printable ASCII");
      if (c != '%') {
        out.push_back(c);
        continue;
      }
      const auto is_lower_hex = [](char digit) { return is_digit(digit) || (digit >= 'a' && digit <= 'f'); };
      if (rest_.size() < 2 || !is_lower_hex(rest_[0]) || !is_lower_hex(rest_[1]))
        return invalid("a percent sign in a display string before something else than two digits in lower case");
      out.push_back(static_cast<char>(hex_value(rest_[0]) * 16 + hex_value(rest_[1])));
      rest_.remove_prefix(2);
    }
    return invalid("a display string is not closed");
  }

  std::string_view rest_;
  Duplicates duplicates_;
};

void append_key(std::string& out, std::string_view name) {
  SALLYPORT_CHECK(!name.empty() && starts_key(name.front()) && std::all_of(name.begin(), name.end(), is_key_char));
  out += name;
}

std::string quoted(std::string_view text) {
  SALLYPORT_CHECK(std::all_of(text.begin(), text.end(), is_string_char));
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out.push_back('\\');
    out.push_back(c);
  }
  return out + '"';
}

std::string whole(std::int64_t value) {
  SALLYPORT_CHECK(value >= -max_integer && value <= max_integer);
  return std::to_string(value);
}

struct Writer {
  std::string operator()(std::int64_t value) const { return whole(value); }
  std::string operator()(Decimal value) const {
    SALLYPORT_CHECK(value.thousandths >= -max_integer && value.thousandths <= max_integer);
    const std::int64_t size = value.thousandths < 0 ? -value.thousandths : value.thousandths;
    std::string fraction = std::to_string(1000 + size % 1000).substr(1);
    while (fraction.size() > 1 && fraction.back() == '0') fraction.pop_back();
    return (value.thousandths < 0 ? "-" : "") + std::to_string(size / 1000) + '.' + fraction;
  }
  std::string operator()(const std::string& value) const { return quoted(value); }
  std::string operator()(const Token& value) const {
    SALLYPORT_CHECK(!value.text.empty() && starts_token(value.text.front()) &&
                    std::all_of(value.text.begin(), value.text.end(), is_further_token_char));
    return value.text;
  }
  std::string operator()(const Binary& value) const { return ':' + base64_encode(bytes_of(value.bytes)) + ':'; }
  std::string operator()(bool value) const { return value ? "?1" : "?0"; }
  std::string operator()(Date value) const { return '@' + whole(value.seconds); }
  std::string operator()(const DisplayString& value) const {
    SALLYPORT_CHECK(is_utf8(value.text));
    std::string out = "%\"";
    for (const char c : value.text) {
      if (c == '%' || c == '"' || !is_string_char(c)) {
        const Byte byte = static_cast<Byte>(c);
        out += '%' + hex_encode(Bytes(&byte, 1));
      } else {
        out.push_back(c);
      }
    }
    return out + '"';
  }
};

template <class Value, class Read>
Result<Value> parse_whole(std::string_view text, Duplicates duplicates, Read read) {
  Parser parser(text, duplicates);
  TRY(Value value, (parser.*read)());
  TRY_OK(parser.finish());
  return value;
}

}  // namespace

const BareItem* find(const Parameters& parameters, std::string_view name) {
  const auto found =
      std::find_if(parameters.begin(), parameters.end(), [&](const auto& one) { return one.first == name; });
  return found == parameters.end() ? nullptr : &found->second;
}

const Member* find(const Dictionary& dictionary, std::string_view name) {
  const auto found =
      std::find_if(dictionary.begin(), dictionary.end(), [&](const auto& one) { return one.first == name; });
  return found == dictionary.end() ? nullptr : &found->second;
}

Result<Item> parse_item(std::string_view text, Duplicates duplicates) {
  return parse_whole<Item>(text, duplicates, &Parser::item);
}

Result<List> parse_list(std::string_view text, Duplicates duplicates) {
  return parse_whole<List>(text, duplicates, &Parser::list);
}

Result<Dictionary> parse_dictionary(std::string_view text, Duplicates duplicates) {
  return parse_whole<Dictionary>(text, duplicates, &Parser::dictionary);
}

std::string serialize(const BareItem& item) { return std::visit(Writer{}, item); }

std::string serialize(const Parameters& parameters) {
  std::string out;
  for (const auto& [name, value] : parameters) {
    out.push_back(';');
    append_key(out, name);
    if (value != BareItem(true)) out += '=' + serialize(value);
  }
  return out;
}

std::string serialize(const Item& item) { return serialize(item.value) + serialize(item.parameters); }

std::string serialize(const InnerList& list) {
  std::string out = "(";
  for (const Item& item : list.items) {
    if (out.size() > 1) out.push_back(' ');
    out += serialize(item);
  }
  return out + ')' + serialize(list.parameters);
}

std::string serialize(const Member& member) {
  return std::visit([](const auto& value) { return serialize(value); }, member);
}

std::string serialize(const List& list) {
  std::string out;
  for (const Member& member : list) {
    if (!out.empty()) out += ", ";
    out += serialize(member);
  }
  return out;
}

std::string serialize(const Dictionary& dictionary) {
  std::string out;
  for (const auto& [name, member] : dictionary) {
    if (!out.empty()) out += ", ";
    append_key(out, name);
    const Item* item = std::get_if<Item>(&member);
    if (item && item->value == BareItem(true)) {
      out += serialize(item->parameters);
    } else {
      out += '=' + serialize(member);
    }
  }
  return out;
}

}  // namespace sallyport::http::structured
