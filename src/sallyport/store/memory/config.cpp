#include "sallyport/store/memory/config.h"

namespace sallyport::store {

config::Plug memory_plug() {
  return {"memory",
          config::Maturity::preview,
          config::Posture::hostile_clients,
          {},
          config::schema<MemoryConfig>(
              "store.memory", "Keeps everything in the process: revocations and tokens are forgotten at a restart.")};
}

}  // namespace sallyport::store
