#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "sallyport/auth/session/source.h"
#include "sallyport/auth/session/store_url.h"

namespace sallyport::auth {

/// Sessions in memcached 1.6, under `prefix` and their key, asked for by meta commands, which also say when one ends. One connection
/// answers all loops. It cannot be watched.
std::shared_ptr<SessionSource> make_memcached_source(StoreUrl server, std::string prefix);

struct MetaAnswer {
  enum class Kind : std::uint8_t { value, miss, trouble };
  Kind kind = Kind::miss;
  std::string data;                          ///< of a value; of trouble, what the server says
  std::optional<std::int64_t> seconds_left;  ///< of a value that ends
  std::size_t size = 0;                      ///< bytes that the answer took
};

/// The answer to `mg <key> v t` that `bytes` begin with, or nullopt while it is not complete.
/// Trust: `bytes` are hostile. Errors: `upstream.protocol`: what comes is no answer, or larger than a session may be.
Result<std::optional<MetaAnswer>> parse_meta_answer(std::string_view bytes);

}  // namespace sallyport::auth
