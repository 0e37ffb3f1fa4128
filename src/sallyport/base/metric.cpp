#include "sallyport/base/metric.h"

#include <cstdio>

namespace sallyport::metric {
namespace {

std::string number(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.9g", value);
  return text;
}

}  // namespace

void Exposition::family(std::string_view name, std::string_view type, std::string_view help) {
  name_ = name;
  text_ += "# HELP ";
  text_ += name;
  text_ += ' ';
  text_ += help;
  text_ += "\n# TYPE ";
  text_ += name;
  text_ += ' ';
  text_ += type;
  text_ += '\n';
}

void Exposition::sample(std::string_view labels, double value) { line("", labels, number(value)); }

void Exposition::histogram(const std::array<std::uint64_t, Histogram::bounds.size() + 1>& counts, double sum) {
  std::uint64_t so_far = 0;
  for (std::size_t i = 0; i < counts.size(); ++i) {
    so_far += counts[i];
    const std::string bound = i < Histogram::bounds.size() ? number(Histogram::bounds[i]) : "+Inf";
    line("_bucket", "le=\"" + bound + "\"", std::to_string(so_far));
  }
  line("_sum", "", number(sum));
  line("_count", "", std::to_string(so_far));
}

void Exposition::line(std::string_view suffix, std::string_view labels, std::string_view value) {
  text_ += name_;
  text_ += suffix;
  if (!labels.empty()) {
    text_ += '{';
    text_ += labels;
    text_ += '}';
  }
  text_ += ' ';
  text_ += value;
  text_ += '\n';
}

}  // namespace sallyport::metric
