#include "sallyport/net/resp.h"

#include <charconv>

namespace sallyport::net {
namespace {

constexpr std::size_t longest_line = 64 * 1024;

Error malformed(const char* what) { return {Reason::upstream_protocol, std::string("not Redis: ") + what}; }

class Parser {
 public:
  Parser(std::string_view bytes, const RespLimits& limits) : bytes_(bytes), limits_(limits) {}

  // False: there is more to come.
  Result<bool> parse(RespReply& out, std::size_t depth) {
    if (at_ == bytes_.size()) return false;
    const char type = bytes_[at_];
    const auto end = bytes_.find("\r\n", at_ + 1);
    if (end == std::string_view::npos) {
      if (bytes_.size() - at_ > longest_line) return malformed("a line without an end");
      return false;
    }
    const std::string_view line = bytes_.substr(at_ + 1, end - at_ - 1);
    at_ = end + 2;
    switch (type) {
      case '+':
      case '-':
        out.kind = type == '+' ? RespReply::Kind::simple : RespReply::Kind::error;
        out.text = std::string(line);
        return true;
      case ':': {
        TRY(out.integer, number(line));
        out.kind = RespReply::Kind::integer;
        return true;
      }
      case '$':
        return parse_bulk(out, line);
      case '*':
        return parse_array(out, line, depth);
      default:
        return malformed("an answer of an unknown type");
    }
  }
  std::size_t at() const { return at_; }

 private:
  static Result<std::int64_t> number(std::string_view text) {
    std::int64_t value = 0;
    const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (code != std::errc() || end != text.data() + text.size()) return malformed("a number expected");
    return value;
  }

  Result<bool> parse_bulk(RespReply& out, std::string_view line) {
    TRY(const std::int64_t size, number(line));
    if (size == -1) {
      out.kind = RespReply::Kind::nil;
      return true;
    }
    if (size < 0 || static_cast<std::size_t>(size) > limits_.text) return malformed("a text of an unacceptable size");
    const auto length = static_cast<std::size_t>(size);
    if (bytes_.size() - at_ < length + 2) return false;
    if (bytes_.substr(at_ + length, 2) != "\r\n") return malformed("a text that goes on behind its end");
    out.kind = RespReply::Kind::bulk;
    out.text = std::string(bytes_.substr(at_, length));
    at_ += length + 2;
    return true;
  }

  Result<bool> parse_array(RespReply& out, std::string_view line, std::size_t depth) {
    TRY(const std::int64_t count, number(line));
    if (count == -1) {
      out.kind = RespReply::Kind::nil;
      return true;
    }
    if (count < 0 || depth >= limits_.depth) return malformed("an unacceptable array");
    out.kind = RespReply::Kind::array;
    items_ += static_cast<std::size_t>(count);
    if (items_ > limits_.items) return malformed("too many items");
    for (std::int64_t i = 0; i < count; ++i) {
      TRY(const bool complete, parse(out.items.emplace_back(), depth + 1));
      if (!complete) return false;
    }
    return true;
  }

  std::string_view bytes_;
  const RespLimits& limits_;
  std::size_t at_ = 0;
  std::size_t items_ = 0;
};

}  // namespace

Result<std::optional<RespParsed>> parse_resp(std::string_view bytes, const RespLimits& limits) {
  Parser parser(bytes, limits);
  RespParsed parsed{};
  TRY(const bool complete, parser.parse(parsed.reply, 0));
  if (!complete) return std::optional<RespParsed>();
  parsed.size = parser.at();
  return std::optional<RespParsed>(std::move(parsed));
}

std::string resp_command(const std::vector<std::string_view>& words) {
  std::string out = "*" + std::to_string(words.size()) + "\r\n";
  for (const std::string_view word : words) {
    out += "$" + std::to_string(word.size()) + "\r\n";
    out += word;
    out += "\r\n";
  }
  return out;
}

}  // namespace sallyport::net
