#include "sallyport/cli/configuration.h"

namespace sallyport::cli {

Configuration load_configuration(const std::string& file, const config::Environment& environment) {
  Configuration loaded;
  const Result<std::string> text = config::load_text(file);
  if (!text.ok()) {
    loaded.reading.problems.add({std::make_shared<const std::string>(file)}, "", text.error().detail);
    return loaded;
  }
  loaded.reading = gateway::read_settings(*text, file, environment);
  const std::size_t before = loaded.reading.problems.size();
  config::Check check = loaded.reading.check();
  config::check_acknowledged(loaded.reading.dangers, loaded.reading.config.acknowledge, check);
  loaded.refused_dangers = loaded.reading.problems.size() - before;
  return loaded;
}

}  // namespace sallyport::cli
