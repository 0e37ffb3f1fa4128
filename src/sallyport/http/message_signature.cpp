#include "sallyport/http/message_signature.h"

#include <algorithm>
#include <map>
#include <set>

#include "sallyport/base/encoding.h"
#include "sallyport/http/grammar.h"

namespace sallyport::http {
namespace {

using structured::BareItem;
using structured::Duplicates;
using structured::InnerList;

constexpr std::size_t max_signatures = 8;
constexpr std::size_t max_components = 32;

Error invalid(std::string what) { return {Reason::request_invalid, "message signature: " + std::move(what)}; }

// All lines of a field as one value (RFC 9421 §2.1).
Result<std::string> combined(const Headers& fields, std::string_view name) {
  const auto lines = fields.find_all(name);
  if (lines.empty()) return invalid("the covered field " + std::string(name) + " is not there");
  std::string out;
  for (const std::string_view& line : lines) {
    if (&line != lines.data()) out += ", ";
    out += trimmed(line);
  }
  return out;
}

Result<std::optional<std::int64_t>> time_parameter(const structured::Parameters& parameters, std::string_view name) {
  const BareItem* value = structured::find(parameters, name);
  if (!value) return std::optional<std::int64_t>();
  const auto* seconds = std::get_if<std::int64_t>(value);
  if (!seconds || *seconds < 0) return invalid("parameter " + std::string(name) + " is no time");
  return std::optional<std::int64_t>(*seconds);
}

Result<std::optional<std::string>> text_parameter(const structured::Parameters& parameters, std::string_view name) {
  const BareItem* value = structured::find(parameters, name);
  if (!value) return std::optional<std::string>();
  const auto* text = std::get_if<std::string>(value);
  if (!text) return invalid("parameter " + std::string(name) + " is no string");
  return std::optional<std::string>(*text);
}

Result<MessageSignature> make_signature(std::string label, const structured::Member& input, std::string bytes) {
  const auto* list = std::get_if<InnerList>(&input);
  if (!list) return invalid("what is signed is no list of components");
  for (const structured::Item& item : list->items) {
    if (!std::holds_alternative<std::string>(item.value)) return invalid("a component is no string");
  }
  MessageSignature out;
  out.label = std::move(label);
  out.input = *list;
  out.signature = std::move(bytes);
  SignatureParameters& parameters = out.parameters;
  TRY(parameters.created, time_parameter(list->parameters, "created"));
  TRY(parameters.expires, time_parameter(list->parameters, "expires"));
  TRY(parameters.nonce, text_parameter(list->parameters, "nonce"));
  TRY(parameters.algorithm, text_parameter(list->parameters, "alg"));
  TRY(parameters.key_id, text_parameter(list->parameters, "keyid"));
  TRY(parameters.tag, text_parameter(list->parameters, "tag"));
  return out;
}

// As a form encodes it, but a space as %20 (RFC 9421 §2.2.8).
std::string form_encoded(std::string_view text) {
  constexpr std::string_view digits = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    if (is_alnum(c) || c == '*' || c == '-' || c == '.' || c == '_') {
      out.push_back(c);
    } else {
      const auto byte = static_cast<unsigned char>(c);
      out.push_back('%');
      out.push_back(digits[byte >> 4]);
      out.push_back(digits[byte & 15]);
    }
  }
  return out;
}

Result<std::string> query_parameter(std::string_view query, std::string_view name) {
  TRY(const Query parsed, parse_query(query));
  std::optional<std::string> found;
  for (const Parameter& parameter : parsed.parameters()) {
    if (form_encoded(decode_form(parameter.name)) != name) continue;
    if (found) return invalid("a covered query parameter is there twice");
    found = form_encoded(decode_form(parameter.value));
  }
  if (!found) return invalid("a covered query parameter is not there");
  return *found;
}

std::string_view scheme_name(Scheme scheme) { return scheme == Scheme::https ? "https" : "http"; }

std::string with_query(std::string text, const std::string& query) {
  if (!query.empty()) text.append("?").append(query);
  return text;
}

Result<std::string> derived_value(const SignableRequest& request, const std::string& name,
                                  const structured::Parameters& parameters) {
  if (name == "@query-param") {
    TRY(const auto wanted, text_parameter(parameters, "name"));
    if (!wanted || parameters.size() != 1) return invalid("@query-param takes a name and nothing else");
    return query_parameter(request.query, *wanted);
  }
  if (!parameters.empty()) return invalid("component " + name + " takes no parameters");
  const std::string path(request.path);
  if (name == "@method") return std::string(request.method);
  if (name == "@authority") return request.authority;
  if (name == "@path") return path;
  if (name == "@query") return '?' + request.query;
  if (name == "@scheme") return std::string(scheme_name(request.scheme));
  if (name == "@request-target") return with_query(path, request.query);
  if (name == "@target-uri") {
    return with_query(std::string(scheme_name(request.scheme)) + "://" + request.authority + path, request.query);
  }
  return invalid("component " + name + " is not known");
}

// Fields of which it is known that they are dictionaries.
constexpr std::string_view dictionaries[] = {"signature-input", "signature",           "content-digest",
                                             "repr-digest",     "want-content-digest", "priority"};

// The fields of a message as dictionaries, each read once however many of its members are covered.
class DictionaryFields {
 public:
  explicit DictionaryFields(const Headers& fields) : fields_(fields) {}
  Result<const structured::Dictionary*> find(const std::string& name, std::string_view value) {
    const auto known = read_.find(name);
    if (known != read_.end()) return &known->second;
    TRY(auto dictionary, structured::parse_dictionary(value, Duplicates::refused));
    return &read_.emplace(name, std::move(dictionary)).first->second;
  }
  const Headers& fields() const { return fields_; }

 private:
  const Headers& fields_;
  std::map<std::string, structured::Dictionary> read_;
};

Result<std::string> field_value(DictionaryFields& read, const std::string& name,
                                const structured::Parameters& parameters) {
  const Headers& fields = read.fields();
  if (!is_token(name) || lowered(name) != name) return invalid("a component is no field name in lower case");
  const BareItem* strict = nullptr;
  const BareItem* binary = nullptr;
  const BareItem* key = nullptr;
  for (const auto& [parameter, value] : parameters) {
    const BareItem** place = parameter == "sf"    ? &strict
                             : parameter == "bs"  ? &binary
                             : parameter == "key" ? &key
                                                  : nullptr;
    if (!place) return invalid("component " + name + " has a parameter that a field of a request cannot have");
    *place = &value;
  }
  const auto is_no_flag = [](const BareItem* flag) { return flag && *flag != BareItem(true); };
  if (is_no_flag(strict) || is_no_flag(binary) || (binary && (strict || key)))
    return invalid("component " + name + " has parameters that contradict each other");
  TRY(std::string value, combined(fields, name));
  if (binary) {
    structured::List lines;
    for (const std::string_view line : fields.find_all(name)) {
      lines.emplace_back(structured::Item{structured::Binary{std::string(trimmed(line))}, {}});
    }
    return structured::serialize(lines);
  }
  if (key) {
    const auto* wanted = std::get_if<std::string>(key);
    if (!wanted) return invalid("parameter key of component " + name + " is no string");
    TRY(const structured::Dictionary* dictionary, read.find(name, value));
    const structured::Member* member = structured::find(*dictionary, *wanted);
    if (!member) return invalid("a covered member of " + name + " is not there");
    return structured::serialize(*member);
  }
  if (!strict) return value;
  if (std::find(std::begin(dictionaries), std::end(dictionaries), name) == std::end(dictionaries))
    return invalid("it is not known how " + name + " is structured");
  TRY(const structured::Dictionary* dictionary, read.find(name, value));
  return structured::serialize(*dictionary);
}

bool is_ascii(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c == '\t' || (c >= 0x20 && c < 0x7f); });
}

}  // namespace

SignableRequest signable(const Request& request, std::span<const std::string> left_out) {
  const bool stands_for_get = request.protocol() != Protocol::none;
  return {stands_for_get ? std::string_view("GET") : std::string_view(request.method()),
          request.scheme(),
          request.authority().text(),
          request.path(),
          left_out.empty() ? request.query().text() : request.query().without_parameters(left_out),
          request.headers()};
}

Result<std::vector<MessageSignature>> parse_signatures(const Headers& fields) {
  std::vector<MessageSignature> out;
  const bool has_input = fields.count("signature-input") > 0;
  const bool has_signature = fields.count("signature") > 0;
  if (!has_input && !has_signature) return out;
  if (has_input != has_signature) return invalid("Signature-Input and Signature go together");
  TRY(const std::string input_text, combined(fields, "signature-input"));
  TRY(const std::string signature_text, combined(fields, "signature"));
  TRY(const auto inputs, structured::parse_dictionary(input_text, Duplicates::refused));
  TRY(const auto signatures, structured::parse_dictionary(signature_text, Duplicates::refused));
  if (inputs.size() > max_signatures) return invalid("more than 8 signatures");
  if (inputs.size() != signatures.size()) return invalid("Signature-Input and Signature do not have the same labels");
  for (const auto& [label, input] : inputs) {
    const structured::Member* member = structured::find(signatures, label);
    const auto* item = member ? std::get_if<structured::Item>(member) : nullptr;
    const auto* bytes = item ? std::get_if<structured::Binary>(&item->value) : nullptr;
    if (!bytes) return invalid("the signature " + label + " is not there, or no bytes");
    TRY(MessageSignature one, make_signature(label, input, bytes->bytes));
    out.push_back(std::move(one));
  }
  return out;
}

Result<MessageSignature> parse_signature(std::string_view input, std::string signature) {
  TRY(const auto list, structured::parse_list(input, Duplicates::refused));
  if (list.size() != 1) return invalid("one list of components expected");
  return make_signature({}, list.front(), std::move(signature));
}

Result<std::string> signature_base(const SignableRequest& request, const InnerList& input) {
  // Each costs work before anybody is known to have signed.
  if (input.items.size() > max_components) return invalid("more than 32 components are covered");
  std::string out;
  std::set<std::string> seen;
  DictionaryFields fields(request.fields);
  for (const structured::Item& item : input.items) {
    const auto* name = std::get_if<std::string>(&item.value);
    if (!name || name->empty()) return invalid("a component has no name");
    const std::string identifier = structured::serialize(item);
    if (!seen.insert(identifier).second) return invalid("a component is covered twice: " + identifier);
    TRY(const std::string value, name->front() == '@' ? derived_value(request, *name, item.parameters)
                                                      : field_value(fields, *name, item.parameters));
    if (!is_ascii(value)) return invalid("the value of " + identifier + " holds bytes beyond ASCII");
    out.append(identifier).append(": ").append(value).append("\n");
  }
  return out.append("\"@signature-params\": ").append(structured::serialize(input));
}

bool covers(const InnerList& input, std::string_view name) {
  const auto lists = [&](std::string_view wanted) {
    return std::any_of(input.items.begin(), input.items.end(), [&](const structured::Item& item) {
      const auto* text = std::get_if<std::string>(&item.value);
      // Of the parameters only `bs` leaves nothing of the value out.
      const bool whole = item.parameters.empty() || (item.parameters.size() == 1 && item.parameters[0].first == "bs");
      return text && *text == wanted && whole;
    });
  };
  if (lists(name)) return true;
  if (name == "@authority" || name == "@scheme") return lists("@target-uri");
  if (name == "@path" || name == "@query") return lists("@target-uri") || lists("@request-target");
  return false;
}

InnerList make_signature_input(std::span<const std::string> components, const SignatureParameters& parameters) {
  InnerList out;
  for (const std::string& component : components) out.items.push_back({component, {}});
  const auto add = [&](const char* name, const auto& value) {
    if (value) out.parameters.emplace_back(name, BareItem(*value));
  };
  add("created", parameters.created);
  add("expires", parameters.expires);
  add("nonce", parameters.nonce);
  add("alg", parameters.algorithm);
  add("keyid", parameters.key_id);
  add("tag", parameters.tag);
  return out;
}

std::optional<std::string_view> signature_algorithm_name(crypto::Algorithm algorithm) {
  switch (algorithm) {
    case crypto::Algorithm::HS256:
      return "hmac-sha256";
    case crypto::Algorithm::EdDSA:
      return "ed25519";
    case crypto::Algorithm::ES256:
      return "ecdsa-p256-sha256";
    case crypto::Algorithm::ES384:
      return "ecdsa-p384-sha384";
    case crypto::Algorithm::PS512:
      return "rsa-pss-sha512";
    default:
      return std::nullopt;
  }
}

}  // namespace sallyport::http
