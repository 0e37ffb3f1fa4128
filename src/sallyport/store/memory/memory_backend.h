#pragma once

#include <memory>

#include "sallyport/store/backend.h"

namespace sallyport::store {

/// Keeps everything in this process and forgets it with the process, revocations included.
class MemoryBackend final : public Backend {
 public:
  MemoryBackend();
  ~MemoryBackend() override;

  std::unique_ptr<Store> open(net::Loop& loop) override;
  std::string_view name() const override { return "memory"; }

  struct Tables;

 private:
  std::shared_ptr<Tables> tables_;
};

}  // namespace sallyport::store
