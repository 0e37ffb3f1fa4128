#pragma once

#include <cstdio>
#include <cstdlib>
#include <string>

namespace sallyport::bench {

/// A load that is not as it should be measures nothing: the program ends.
[[noreturn]] inline void die(const std::string& why) {
  std::fprintf(stderr, "bench_load: %s\n", why.c_str());
  std::exit(1);
}

}  // namespace sallyport::bench
