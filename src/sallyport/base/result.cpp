#include "sallyport/base/result.h"

namespace sallyport {

void throw_bug(const char* condition, std::source_location where) {
  throw BugError(std::string(where.file_name()) + ":" + std::to_string(where.line()) + ": " + condition);
}

}  // namespace sallyport
