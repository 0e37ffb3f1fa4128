#include <string>
#include <vector>

#include "sallyport/cli/verbs.h"
#include "sallyport/net/record_buffers.h"

int main(int count, char** words) {
  sallyport::net::keep_record_buffers();
  const std::vector<std::string> given(words + (count > 0 ? 1 : 0), words + count);
  return sallyport::cli::run(given);
}
