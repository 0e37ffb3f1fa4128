#include "sallyport/http/head.h"

#include <string>

#include "sallyport/http/grammar.h"

namespace sallyport::http {
namespace {

constexpr std::size_t max_method = 32;
constexpr std::size_t max_version = 8;  // HTTP/1.1

Error malformed(std::string detail) { return {Reason::http_malformed, std::move(detail)}; }
Error too_large(std::string detail) { return {Reason::http_headers_too_large, std::move(detail)}; }

}  // namespace

Result<void> scan_start_line(Bytes received, HeadProgress& progress, HeadKind kind, const Limits& limits) {
  using Stage = HeadProgress::Stage;
  const auto stay = [&](Error error) {  // asked again, the same byte is refused again
    --progress.at_;
    return error;
  };
  while (!progress.start_line_done() && progress.at_ < received.size()) {
    if (progress.at_ >= limits.head_bytes) return too_large("start line is longer than the limit of the whole head");
    const char c = static_cast<char>(received[progress.at_++]);
    switch (progress.stage_) {
      case Stage::start:
        // RFC 9112 §2.2 suggests to skip an empty line here, for clients of 1996.
        if (!is_token_char(c)) return stay(malformed("first byte is none of a method"));
        progress.stage_ = kind == HeadKind::request ? Stage::method : Stage::status_line;
        break;
      case Stage::method:
        if (c == ' ') {
          progress.stage_ = Stage::target;
          progress.part_start_ = progress.at_;
        } else if (!is_token_char(c)) {
          return stay(malformed("method is no token"));
        } else if (progress.at_ > max_method) {
          return stay(malformed("method is too long"));
        }
        break;
      case Stage::target:
        if (c == ' ') {
          if (progress.at_ - 1 == progress.part_start_) return stay(malformed("target is empty"));
          progress.stage_ = Stage::version;
          progress.part_start_ = progress.at_;
        } else if (c <= 0x20 || c >= 0x7f) {  // char is signed or not: either way this refuses 0x80-0xff
          return stay(malformed("target has a control or non-ASCII byte"));
        } else if (progress.at_ - progress.part_start_ > limits.target_bytes) {
          return stay(too_large("target is longer than the limit"));
        }
        break;
      case Stage::version:
        if (c == '\r') {
          progress.stage_ = Stage::start_line_lf;
        } else if (c <= 0x20 || c >= 0x7f || progress.at_ - progress.part_start_ > max_version) {
          return stay(malformed("request line does not end in a version and CRLF"));
        }
        break;
      case Stage::status_line:
        if (c == '\r') {
          progress.stage_ = Stage::start_line_lf;
        } else if (!is_field_char(c)) {
          return stay(malformed("status line has a control byte"));
        }
        break;
      default:
        if (c != '\n') return stay(malformed("CR without LF"));
        progress.stage_ = Stage::field_start;
        progress.start_line_end_ = progress.at_;
        break;
    }
  }
  return {};
}

Result<void> scan_fields(Bytes received, HeadProgress& progress, const Limits& limits) {
  using Stage = HeadProgress::Stage;
  const auto stay = [&](Error error) {  // asked again, the same byte is refused again
    --progress.at_;
    return error;
  };
  SALLYPORT_CHECK(progress.start_line_done());
  while (progress.stage_ != Stage::done && progress.at_ < received.size()) {
    if (progress.at_ >= limits.head_bytes) return too_large("head is longer than the limit");
    const char c = static_cast<char>(received[progress.at_++]);
    switch (progress.stage_) {
      case Stage::field_start:
        if (c == '\r') {
          progress.stage_ = Stage::end_lf;
        } else if (c == ' ' || c == '\t') {
          return stay(malformed("white space at the start of a line (line folding)"));
        } else if (!is_token_char(c)) {
          return stay(malformed("field name is no token"));
        } else if (++progress.fields_ > limits.header_count) {
          return stay(too_large("more field lines than the limit"));
        } else {
          progress.stage_ = Stage::name;
        }
        break;
      case Stage::name:
        if (c == ':') {
          progress.stage_ = Stage::value;
        } else if (!is_token_char(c)) {
          return stay(malformed("field name is no token"));
        }
        break;
      case Stage::value:
        if (c == '\r') {
          progress.stage_ = Stage::value_lf;
        } else if (!is_field_char(c)) {
          return stay(malformed("field value has a control byte"));
        }
        break;
      case Stage::value_lf:
        if (c != '\n') return stay(malformed("CR without LF"));
        progress.stage_ = Stage::field_start;
        break;
      default:
        if (c != '\n') return stay(malformed("CR without LF"));
        progress.stage_ = Stage::done;
        break;
    }
  }
  return {};
}

std::string_view start_line(Bytes received, const HeadProgress& progress) {
  return text_of(received).substr(0, progress.start_line_end_ - 2);
}

Headers make_headers(Bytes received, const HeadProgress& progress) {
  SALLYPORT_CHECK(progress.done());
  std::string_view rest =
      text_of(received).substr(progress.start_line_end_, progress.at_ - 2 - progress.start_line_end_);
  Headers out;
  out.reserve(rest.size(), progress.fields_);
  while (!rest.empty()) {
    const auto end = rest.find("\r\n");
    const std::string_view line = rest.substr(0, end);
    const auto colon = line.find(':');
    out.add(line.substr(0, colon), trimmed(line.substr(colon + 1)));
    rest.remove_prefix(end + 2);
  }
  return out;
}

}  // namespace sallyport::http
