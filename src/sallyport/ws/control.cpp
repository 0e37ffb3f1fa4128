#include "sallyport/ws/control.h"

#include <algorithm>
#include <utility>

namespace sallyport::ws {
namespace {

constexpr std::string_view control_name = "$sallyport";

Error malformed(const char* what) { return Error{Reason::control_malformed, what}; }

std::string_view skip_space(std::string_view text) {
  const std::size_t at = text.find_first_not_of(" \t\n\r");
  return at == std::string_view::npos ? std::string_view() : text.substr(at);
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

/// Takes one character of a JSON string off the front of `text`. What is not ASCII comes out as something that no ASCII
/// character equals.
int take_character(std::string_view& text) {
  if (text.empty()) return -1;
  const char c = text.front();
  text.remove_prefix(1);
  if (c != '\\') return static_cast<unsigned char>(c);
  if (text.empty()) return -1;
  const char escape = text.front();
  text.remove_prefix(1);
  if (std::string_view("bfnrt").find(escape) != std::string_view::npos) return '\n';  // a control character, whichever
  if (escape != 'u') return static_cast<unsigned char>(escape);
  if (text.size() < 4) return -1;
  int code = 0;
  for (std::size_t i = 0; i < 4; ++i) {
    const int digit = hex_digit(text[i]);
    if (digit < 0) return -1;
    code = code * 16 + digit;
  }
  text.remove_prefix(4);
  return code;
}

/// Whether the string whose opening quote has been taken is the name of the channel.
bool is_control_name(std::string_view text) {
  for (const char expected : control_name) {
    if (take_character(text) != expected) return false;
  }
  return !text.empty() && text.front() == '"';
}

/// Takes a string whose opening quote has been taken off the front of `text`.
void skip_string(std::string_view& text) {
  for (;;) {
    const std::size_t at = text.find_first_of("\"\\");
    if (at == std::string_view::npos) return text.remove_prefix(text.size());
    const bool closed = text[at] == '"';
    text.remove_prefix(std::min(at + (closed ? 1 : 2), text.size()));
    if (closed) return;
  }
}

std::string notice(json::Object members) {
  return json::dump(json::Object{{std::string(control_name), json::Value(std::move(members))}});
}

}  // namespace

bool is_control_text(Bytes payload) {
  std::string_view text = skip_space(text_of(payload));
  if (text.empty() || text.front() != '{') return false;
  text = skip_space(text.substr(1));
  return !text.empty() && text.front() == '"' && is_control_name(text.substr(1));
}

bool may_pass_for_notice(Bytes payload) {
  std::string_view text = skip_space(text_of(payload));
  if (text.empty() || text.front() != '{') return false;
  // The name is written plainly or with an escape; most messages have neither, and end here.
  if (text.find(control_name) == std::string_view::npos && text.find('\\') == std::string_view::npos) return false;
  int depth = 0;
  bool name_expected = false;
  while (!text.empty()) {
    const char c = text.front();
    text.remove_prefix(1);
    switch (c) {
      case '"':
        if (name_expected && is_control_name(text)) return true;
        skip_string(text);
        name_expected = false;
        break;
      case '{':
      case '[':
        name_expected = ++depth == 1;
        break;
      case '}':
      case ']':
        if (--depth == 0) return false;
        break;
      case ',':
        name_expected = depth == 1;
        break;
      default:
        break;
    }
  }
  return false;
}

Result<ControlRequest> parse_control(Bytes payload) {
  const auto document = json::parse(text_of(payload), 4);
  if (!document.ok()) return malformed("not strict JSON");
  const json::Object* outer = document->object();
  if (outer == nullptr || outer->size() != 1 || outer->front().first != control_name) {
    return malformed("\"$sallyport\" is not the only member");
  }
  const json::Object* request = outer->front().second.object();
  if (request == nullptr) return malformed("\"$sallyport\" is no object");
  const std::string* op = outer->front().second.find_string("op");
  const std::string* token = outer->front().second.find_string("token");
  if (op == nullptr) return malformed("no op");
  if (*op != "authenticate" && *op != "refresh") return malformed("unknown op");
  if (token == nullptr || token->empty()) return malformed("no token");
  if (request->size() != 2) return malformed("unknown member");
  return ControlRequest{*op == "refresh" ? ControlRequest::Op::refresh : ControlRequest::Op::authenticate,
                        Secret(*token)};
}

std::string ready_notice(std::string_view connection, std::string_view subject, std::optional<std::int64_t> expires_at,
                         std::string_view session) {
  json::Object members{{"op", "ready"}, {"connection", connection}, {"subject", subject}};
  if (expires_at) members.emplace_back("expires_at", *expires_at);
  if (!session.empty()) members.emplace_back("session", session);
  return notice(std::move(members));
}

std::string bind_notice(std::string_view code, std::chrono::milliseconds within) {
  return notice({{"op", "bind"}, {"code", code}, {"expires_in", std::int64_t{within.count() / 1000}}});
}

std::string expiring_notice(std::int64_t expires_at) {
  return notice({{"op", "expiring"}, {"expires_at", expires_at}});
}

std::string refreshed_notice(std::optional<std::int64_t> expires_at) {
  json::Object members{{"op", "refreshed"}};
  if (expires_at) members.emplace_back("expires_at", *expires_at);
  return notice(std::move(members));
}

std::string denied_notice(Reason reason, const std::optional<json::Value>& id) {
  json::Object members{{"op", "denied"}, {"reason", row(reason).name}};
  if (id) members.emplace_back("id", *id);
  return notice(std::move(members));
}

}  // namespace sallyport::ws
