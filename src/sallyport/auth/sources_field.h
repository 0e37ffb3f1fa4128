#pragma once

#include <string>
#include <utility>
#include <vector>

#include "sallyport/auth/token.h"
#include "sallyport/config/schema.h"

namespace sallyport::auth {

/// The setting `from` of a plug that looks for tokens, the same in all of them.
template <class C>
config::Field<C> sources_field(std::vector<std::string> C::* member) {
  return config::field(
      member, "from",
      "Where the token may travel: `header` (`Authorization: Bearer`), `subprotocol` (`bearer.<token>` offered as a "
      "subprotocol), `cookie:NAME` (only beside an allowed Origin), `query:NAME` (last resort: it ends up in logs). "
      "Two "
      "tokens in one request are refused, wherever they stand.",
      config::example("[header, subprotocol]"),
      config::checked<std::string>([](const std::string& text) -> std::optional<std::string> {
        const auto source = parse_token_source(text);
        if (source) return std::nullopt;
        return source.error().detail;
      }));
}

/// `schema`, its `from` without repetitions.
template <class C>
config::Schema<C> with_sources(const config::Schema<C>& schema) {
  return schema.validated_by(
      [](const C& settings, config::Check& check) {
        if (const auto sources = parse_token_sources(settings.from); !sources)
          check.problem("from", sources.error().detail);
      },
      {"from"});
}

}  // namespace sallyport::auth
