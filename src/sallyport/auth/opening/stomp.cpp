#include "sallyport/auth/opening/opening_parts.h"

namespace sallyport::auth {
namespace {

Error malformed(const char* what) { return {Reason::message_malformed, what}; }

// The next line, without its end of line; `text` begins with the one after it. STOMP 1.2: a CR before the LF belongs to the end.
Result<std::string_view> take_line(std::string_view& text) {
  const std::size_t end = text.find('\n');
  if (end == std::string_view::npos) return malformed("a CONNECT frame that does not end");
  std::string_view line = text.substr(0, end);
  text.remove_prefix(end + 1);
  if (line.ends_with('\r')) line.remove_suffix(1);
  for (const char c : line) {
    if (c == '\r' || c == '\0') return malformed("a control character in a CONNECT frame");
  }
  return line;
}

}  // namespace

// CONNECT and STOMP frames have neither escapes nor a body (STOMP 1.2, "Value Encoding"). Of repeated headers the first counts there; here
// a second credential is refused, because not every server follows.
Result<Opening> parse_stomp_opening(std::string_view header, std::string_view frame) {
  std::string_view rest = frame;
  TRY(const std::string_view command, take_line(rest));
  if (command != "CONNECT" && command != "STOMP") return malformed("a CONNECT frame expected first");
  std::string for_backend = std::string(command) + "\n";
  std::optional<Secret> token;
  std::string claimed;
  for (;;) {
    TRY(const std::string_view line, take_line(rest));
    if (line.empty()) break;
    const std::size_t colon = line.find(':');
    if (colon == 0 || colon == std::string_view::npos) return malformed("a header line without a name");
    const std::string_view name = line.substr(0, colon);
    if (name == "content-length" && line.substr(colon + 1) != "0") return malformed("a CONNECT frame with a body");
    if (name == "login" && name != header) {
      if (!claimed.empty()) return malformed("the header login comes twice");
      claimed = line.substr(colon + 1);
    }
    if (name != header) {
      for_backend.append(line).push_back('\n');
      continue;
    }
    if (token) return malformed("the header with the credential comes twice");
    TRY(token, bare_credential(line.substr(colon + 1)));
  }
  if (rest.empty() || rest.front() != '\0') return malformed("a CONNECT frame with a body");
  rest.remove_prefix(1);
  if (rest.find_first_not_of("\r\n") != std::string_view::npos) return malformed("bytes behind the CONNECT frame");
  if (!token) return Error{Reason::credential_missing, "no header '" + std::string(header) + "'"};
  for_backend.push_back('\n');
  for_backend.push_back('\0');
  return Opening{std::move(*token), std::move(for_backend), std::move(claimed)};
}

}  // namespace sallyport::auth
