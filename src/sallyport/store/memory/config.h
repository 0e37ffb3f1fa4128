#pragma once

#include "sallyport/config/plug.h"

namespace sallyport::store {

struct MemoryConfig {};

config::Plug memory_plug();

}  // namespace sallyport::store
