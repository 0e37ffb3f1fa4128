#include "sallyport/http/deflate.h"

#include <algorithm>

#include "sallyport/http/grammar.h"

namespace sallyport::http {
namespace {

constexpr std::string_view extension_name = "permessage-deflate";
constexpr std::size_t max_elements = 32;

struct Parameter {
  std::string_view name;
  std::optional<std::string> value;
};
struct Element {
  std::string_view name;
  std::vector<Parameter> parameters;
};

// `1#( token *( ";" token [ "=" ( token / quoted-string ) ] ) )`, RFC 6455 §9.1. A quoted value must be a token once it
// is unquoted. Empty elements are passed over, as RFC 9110 §5.6.1 asks of a recipient.
class ElementParser {
 public:
  explicit ElementParser(std::string_view text) : text_(text) {}

  // False: the line breaks the grammar.
  bool parse(std::vector<Element>& out) {
    for (;;) {
      skip_space();
      if (at_ == text_.size()) return true;
      if (take(',')) continue;
      Element element;
      element.name = token();
      if (element.name.empty()) return false;
      for (skip_space(); take(';'); skip_space()) {
        Parameter parameter;
        skip_space();
        parameter.name = token();
        if (parameter.name.empty()) return false;
        skip_space();
        if (take('=')) {
          skip_space();
          parameter.value = value();
          if (!is_token(*parameter.value)) return false;
        }
        element.parameters.push_back(std::move(parameter));
      }
      if (at_ < text_.size() && text_[at_] != ',') return false;
      out.push_back(std::move(element));
      if (out.size() > max_elements) return false;
    }
  }

 private:
  void skip_space() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\t')) ++at_;
  }
  bool take(char c) {
    if (at_ == text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  std::string_view token() {
    const std::size_t start = at_;
    while (at_ < text_.size() && is_token_char(text_[at_])) ++at_;
    return text_.substr(start, at_ - start);
  }
  // Empty, which is no token, when it is not well formed.
  std::string value() {
    if (!take('"')) return std::string(token());
    std::string out;
    while (at_ < text_.size()) {
      if (take('"')) return out;
      if (text_[at_] == '\\' && ++at_ == text_.size()) break;
      out += text_[at_++];
    }
    return {};
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

std::optional<std::vector<Element>> parse_elements(const Headers& headers) {
  std::vector<Element> out;
  for (const std::string_view line : headers.find_all("sec-websocket-extensions")) {
    const std::size_t before = out.size();
    if (!ElementParser(line).parse(out) || out.size() == before) return std::nullopt;
  }
  return out;
}

// `1*DIGIT` from 8 to 15 without leading zeros, RFC 7692 §7.1.2.
std::optional<std::uint8_t> parse_window_bits(std::string_view text) {
  if (text == "8" || text == "9") return static_cast<std::uint8_t>(text[0] - '0');
  if (text.size() == 2 && text[0] == '1' && text[1] >= '0' && text[1] <= '5')
    return static_cast<std::uint8_t>(10 + text[1] - '0');
  return std::nullopt;
}

enum class Speaker : std::uint8_t { client, server };

// Nothing when a parameter is unknown, there twice, or has no proper value.
std::optional<DeflateParameters> parse_parameters(const Element& element, Speaker speaker) {
  DeflateParameters out;
  for (const Parameter& parameter : element.parameters) {
    const auto flag = [&](bool& member) { return !parameter.value && !std::exchange(member, true); };
    const auto window = [&](std::optional<std::uint8_t>& member) {
      if (!parameter.value || member) return false;
      member = parse_window_bits(*parameter.value);
      return member.has_value();
    };
    bool good = false;
    if (equal_ignoring_case(parameter.name, "server_no_context_takeover")) {
      good = flag(out.server_no_context_takeover);
    } else if (equal_ignoring_case(parameter.name, "client_no_context_takeover")) {
      good = flag(out.client_no_context_takeover);
    } else if (equal_ignoring_case(parameter.name, "server_max_window_bits")) {
      good = window(out.server_max_window_bits);
    } else if (equal_ignoring_case(parameter.name, "client_max_window_bits")) {
      if (!parameter.value && speaker == Speaker::client && !out.client_max_window_bits) {
        out.client_max_window_bits = 15;
        good = true;
      } else {
        good = window(out.client_max_window_bits);
      }
    }
    if (!good) return std::nullopt;
  }
  return out;
}

std::optional<DeflateParameters> answer_one(const DeflateParameters& offer, const DeflatePolicy& policy) {
  if (offer.server_max_window_bits && *offer.server_max_window_bits < 9) return std::nullopt;
  const bool keep = policy.takeover == DeflatePolicy::Takeover::allowed;
  DeflateParameters answer;
  answer.server_no_context_takeover = !keep || offer.server_no_context_takeover;
  answer.client_no_context_takeover = !keep || offer.client_no_context_takeover;
  const std::uint8_t own = std::min(policy.window_bits, offer.server_max_window_bits.value_or(15));
  if (offer.server_max_window_bits || own < 15) answer.server_max_window_bits = own;
  if (offer.client_max_window_bits) {
    const std::uint8_t theirs = std::min(policy.window_bits, *offer.client_max_window_bits);
    if (theirs < 15) answer.client_max_window_bits = theirs;
  } else if (policy.window_bits < 15) {
    answer.client_no_context_takeover = true;
  }
  return answer;
}

// Whether a server that was offered `offer` may answer `answer`.
bool fits(const DeflateParameters& offer, const DeflateParameters& answer) {
  if (offer.server_no_context_takeover && !answer.server_no_context_takeover) return false;
  if (offer.server_max_window_bits && answer.server_max_window_bits.value_or(15) > *offer.server_max_window_bits)
    return false;
  return !answer.client_max_window_bits ||
         (offer.client_max_window_bits && *answer.client_max_window_bits <= *offer.client_max_window_bits);
}

void append_window(std::string& out, std::string_view name, std::uint8_t bits) {
  out.append("; ").append(name).append("=").append(std::to_string(bits));
}

void append_parameters(std::string& out, const DeflateParameters& parameters) {
  out.append(extension_name);
  if (parameters.server_no_context_takeover) out.append("; server_no_context_takeover");
  if (parameters.client_no_context_takeover) out.append("; client_no_context_takeover");
  if (parameters.server_max_window_bits)
    append_window(out, "server_max_window_bits", *parameters.server_max_window_bits);
}

Error upstream_protocol(const char* detail) { return {Reason::upstream_protocol, detail}; }

}  // namespace

Result<std::vector<DeflateParameters>> parse_deflate_offers(const Headers& headers) {
  const auto elements = parse_elements(headers);
  if (!elements) return Error{Reason::http_malformed, "Sec-WebSocket-Extensions is no list of extensions"};
  std::vector<DeflateParameters> out;
  for (const Element& element : *elements) {
    if (!equal_ignoring_case(element.name, extension_name)) continue;
    if (const auto offer = parse_parameters(element, Speaker::client)) out.push_back(*offer);
  }
  return out;
}

std::optional<DeflateParameters> answer_deflate(std::span<const DeflateParameters> offers,
                                                const DeflatePolicy& policy) {
  for (const DeflateParameters& offer : offers) {
    if (auto answer = answer_one(offer, policy)) return answer;
  }
  return std::nullopt;
}

DeflateParameters offer_deflate(const DeflatePolicy& policy) {
  DeflateParameters offer;
  offer.client_max_window_bits = policy.window_bits;
  if (policy.takeover == DeflatePolicy::Takeover::refused) {
    offer.server_no_context_takeover = offer.client_no_context_takeover = true;
  } else if (policy.window_bits < 15) {
    offer.server_max_window_bits = policy.window_bits;
  }
  return offer;
}

Result<std::optional<DeflateParameters>> parse_deflate_answer(const Headers& headers,
                                                              std::span<const DeflateParameters> offers) {
  if (headers.count("sec-websocket-extensions") == 0) return std::optional<DeflateParameters>();
  if (offers.empty()) return upstream_protocol("backend's 101 has an extension that was not offered");
  const auto elements = parse_elements(headers);
  if (!elements) return upstream_protocol("backend's 101 has malformed extensions");
  if (elements->size() != 1 || !equal_ignoring_case(elements->front().name, extension_name))
    return upstream_protocol("backend's 101 has an extension that was not offered");
  const auto answer = parse_parameters(elements->front(), Speaker::server);
  if (!answer) return upstream_protocol("backend's permessage-deflate has a wrong parameter");
  if (std::ranges::none_of(offers, [&](const DeflateParameters& offer) { return fits(offer, *answer); }))
    return upstream_protocol("backend's permessage-deflate does not fit what was offered");
  return answer;
}

std::string offer_text(std::span<const DeflateParameters> offers) {
  std::string out;
  for (const DeflateParameters& offer : offers) {
    if (!out.empty()) out.append(", ");
    append_parameters(out, offer);
    if (offer.client_max_window_bits == 15) {
      out.append("; client_max_window_bits");
    } else if (offer.client_max_window_bits) {
      append_window(out, "client_max_window_bits", *offer.client_max_window_bits);
    }
  }
  return out;
}

std::string answer_text(const DeflateParameters& answer) {
  std::string out;
  append_parameters(out, answer);
  if (answer.client_max_window_bits) append_window(out, "client_max_window_bits", *answer.client_max_window_bits);
  return out;
}

}  // namespace sallyport::http
