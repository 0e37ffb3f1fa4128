#include <string>
#include <vector>

#include "sallyport/cli/verbs.h"

int main(int count, char** words) {
  const std::vector<std::string> given(words + (count > 0 ? 1 : 0), words + count);
  return sallyport::cli::run(given);
}
