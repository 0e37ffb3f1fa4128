#include "sallyport/store/store.h"

#include <utility>

namespace sallyport::store {
namespace {

constexpr std::pair<Handle, std::string_view> handle_names[] = {
    {Handle::subject, "sub"},           {Handle::session_id, "sid"},        {Handle::token_id, "jti"},
    {Handle::token_hash, "token_hash"}, {Handle::connection, "connection"},
};

}  // namespace

std::string_view name_of(Handle handle) {
  for (const auto& [known, name] : handle_names) {
    if (known == handle) return name;
  }
  throw_bug("every Handle has a name");
}

std::optional<Handle> handle_named(std::string_view name) {
  for (const auto& [handle, known] : handle_names) {
    if (known == name) return handle;
  }
  return std::nullopt;
}

}  // namespace sallyport::store
