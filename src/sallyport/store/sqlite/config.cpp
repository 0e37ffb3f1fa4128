#include "sallyport/store/sqlite/config.h"

namespace sallyport::store {

config::Plug sqlite_plug() {
  return {"sqlite",
          config::Maturity::preview,
          config::Posture::hostile_clients,
          {},
          config::schema(
              "store.sqlite", "Keeps everything in one file; several gateways on one machine may share it.",
              config::field(&SqliteConfig::path, "path", "The file; its folder must exist.", config::required),
              config::field(&SqliteConfig::busy_timeout, "busy_timeout", "Longest wait for another process's lock.",
                            config::between(std::chrono::milliseconds(0), std::chrono::seconds(10))))};
}

}  // namespace sallyport::store
