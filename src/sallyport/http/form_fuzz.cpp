// Does a form that was read say the same when it is written as a browser would, and does it never name anything twice?

#include <cstddef>
#include <cstdint>
#include <set>
#include <string>
#include <string_view>

#include "sallyport/http/form.h"
#include "sallyport/http/grammar.h"

using namespace sallyport;

namespace {

std::string escaped(std::string_view text) {
  constexpr std::string_view digits = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (http::is_alnum(c)) {
      out.push_back(c);
    } else {
      out.append({'%', digits[byte >> 4], digits[byte & 15]});
    }
  }
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto form = http::parse_form(text);
  if (!form.ok()) {
    SALLYPORT_CHECK(form.error().reason == Reason::request_invalid);
    return 0;
  }
  SALLYPORT_CHECK(form->size() <= 64);
  std::set<std::string> names;
  std::string again;
  for (const auto& [name, value] : *form) {
    SALLYPORT_CHECK(http::is_utf8(name) && http::is_utf8(value));
    SALLYPORT_CHECK(names.insert(name).second);
    SALLYPORT_CHECK(value.empty() ? !form->find(name) : *form->find(name) == value);
    again.append(again.empty() ? "" : "&").append(escaped(name)).append("=").append(escaped(value));
  }
  const auto same = http::parse_form(again);
  SALLYPORT_CHECK(same.ok() && same->size() == form->size());
  for (const auto& [name, value] : *form) SALLYPORT_CHECK(value.empty() || *same->find(name) == value);
  return 0;
}
