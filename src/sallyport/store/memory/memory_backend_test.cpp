#include "sallyport/store/memory/memory_backend.h"

#include "sallyport/store/store_contract.h"

using namespace sallyport;
using namespace sallyport::store;

TEST_CASE("memory: the contract") {
  contract::check([] { return std::make_unique<MemoryBackend>(); });
}

TEST_CASE("memory: forgets with the process") {
  const FakeClock clock;
  net::Loop loop(clock);
  CHECK(MemoryBackend().name() == "memory");
  contract::must(contract::wait_for(loop, MemoryBackend().open(loop)->put_token(contract::token(1))));
  const auto store = MemoryBackend().open(loop);
  CHECK(contract::must(contract::wait_for(loop, store->find_token(contract::hash_of(1)))) == std::nullopt);
}
