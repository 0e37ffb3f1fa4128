#include "sallyport/http/form.h"

#include <algorithm>

#include "sallyport/http/grammar.h"

namespace sallyport::http {
namespace {

constexpr std::size_t most_parameters = 64;

Error invalid(std::string detail) { return {Reason::request_invalid, std::move(detail)}; }

}  // namespace

const std::string* Form::find(std::string_view name) const {
  const auto found = std::ranges::find(parameters_, name, &std::pair<std::string, std::string>::first);
  return found == parameters_.end() || found->second.empty() ? nullptr : &found->second;
}

Result<std::string> decode_form_text(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '+') {
      out.push_back(' ');
    } else if (c == '%') {
      const int high = i + 1 < text.size() ? hex_value(text[i + 1]) : -1;
      const int low = i + 2 < text.size() ? hex_value(text[i + 2]) : -1;
      if (high < 0 || low < 0) return invalid("a broken escape in the form");
      out.push_back(static_cast<char>(high * 16 + low));
      i += 2;
    } else if (static_cast<unsigned char>(c) <= 0x20 || static_cast<unsigned char>(c) >= 0x7f) {
      return invalid("a byte in the form that should be escaped");
    } else {
      out.push_back(c);
    }
  }
  const auto is_control = [](char c) {
    return (static_cast<unsigned char>(c) < 0x20 && c != '\t' && c != '\r' && c != '\n') || c == 0x7f;
  };
  if (std::ranges::any_of(out, is_control)) return invalid("a control byte in the form");
  if (!is_utf8(out)) return invalid("the form is not UTF-8");
  return out;
}

Result<Form> parse_form(std::string_view text) {
  Form form;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('&'), text.size());
    const std::string_view piece = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (piece.empty()) continue;
    const std::size_t equals = std::min(piece.find('='), piece.size());
    TRY(std::string name, decode_form_text(piece.substr(0, equals)));
    TRY(std::string value, decode_form_text(piece.substr(std::min(equals + 1, piece.size()))));
    if (std::ranges::find(form.parameters_, name, &std::pair<std::string, std::string>::first) !=
        form.parameters_.end())
      return invalid("a parameter is there twice");
    if (form.parameters_.size() == most_parameters) return invalid("more parameters than 64");
    form.parameters_.emplace_back(std::move(name), std::move(value));
  }
  return form;
}

}  // namespace sallyport::http
