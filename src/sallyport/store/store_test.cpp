#include "sallyport/store/store.h"

#include <doctest/doctest.h>

#include <set>

using namespace sallyport::store;

TEST_CASE("every handle has a name of its own, which leads back to it") {
  std::set<std::string_view> names;
  for (const Handle handle :
       {Handle::subject, Handle::session_id, Handle::token_id, Handle::token_hash, Handle::connection}) {
    names.insert(name_of(handle));
    CHECK(handle_named(name_of(handle)) == handle);
  }
  CHECK(names == std::set<std::string_view>{"sub", "sid", "jti", "token_hash", "connection"});
}

TEST_CASE("names that are close to a handle's are not") {
  using namespace std::string_view_literals;
  for (const auto name : {""sv, "SUB"sv, "sub "sv, "subject"sv, "su"sv, "sub\0"sv}) {
    CHECK(handle_named(name) == std::nullopt);
  }
}
