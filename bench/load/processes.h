#pragma once

#include <dirent.h>

#include <cstdint>
#include <fstream>
#include <string>
#include <vector>

#include "die.h"

namespace sallyport::bench {

/// CPU time that the scheduler has given to all threads of `pids`, in nanoseconds.
inline std::uint64_t cpu_ns(const std::vector<int>& pids) {
  std::uint64_t sum = 0;
  for (const int pid : pids) {
    const std::string tasks = "/proc/" + std::to_string(pid) + "/task";
    DIR* folder = opendir(tasks.c_str());
    if (folder == nullptr) die("process " + std::to_string(pid) + " is gone");
    while (const dirent* entry = readdir(folder)) {
      if (entry->d_name[0] == '.') continue;
      std::uint64_t ns = 0;
      if (std::ifstream(tasks + "/" + entry->d_name + "/schedstat") >> ns) sum += ns;
    }
    closedir(folder);
  }
  return sum;
}

}  // namespace sallyport::bench
