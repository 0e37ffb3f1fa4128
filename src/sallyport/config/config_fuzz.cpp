// Does any text, read against a schema with every type of setting, break more than itself?
#include <cstddef>
#include <cstdint>

#include "sallyport/config/sample_test.h"

using namespace sallyport;
using namespace sallyport::config;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const Context context{"/etc/sallyport", [](std::string_view name) -> std::optional<std::string> {
                          if (name == "A") return "1";
                          return std::nullopt;
                        }};
  const auto reading = read(sample::config_schema, text, "f", context);
  // One line each, whatever they quote.
  std::size_t lines = 0;
  for (const char c : reading.problems.text()) {
    lines += c == '\n' ? 1 : 0;
    SALLYPORT_CHECK(c == '\n' || static_cast<unsigned char>(c) >= 0x20);
  }
  SALLYPORT_CHECK(lines == reading.problems.size());
  if (reading.ok()) {
    SALLYPORT_CHECK(!reading.config.listen.empty() && !reading.config.routes.empty());
    for (const sample::Route& route : reading.config.routes)
      SALLYPORT_CHECK(!route.authenticate.empty() && !route.name.empty());
  }
  return 0;
}
