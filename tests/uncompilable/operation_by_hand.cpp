// An Operation comes from an Adapter that understood a message; nobody else can write one down.
// wrong: private
#include "sallyport/protocol/adapter.h"

using namespace sallyport;

std::string verb(const protocol::Adapter& adapter, const protocol::Message& message, protocol::Workspace& workspace) {
  const auto operations = adapter.read(message, workspace);
#ifdef WRONG
  if (!operations.ok()) return std::string(protocol::Operation("read", "room").verb());
#else
  if (!operations.ok()) return {};
#endif
  return std::string(operations->front().verb());
}
