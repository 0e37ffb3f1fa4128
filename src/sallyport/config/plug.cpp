#include "sallyport/config/plug.h"

namespace sallyport::config {

std::string_view name_of(Maturity maturity) {
  switch (maturity) {
    case Maturity::experimental:
      return "experimental";
    case Maturity::preview:
      return "preview";
    case Maturity::stable:
      return "stable";
  }
  throw_bug("maturity");
}

std::string_view name_of(Posture posture) {
  switch (posture) {
    case Posture::hostile_clients:
      return "hostile clients";
    case Posture::trusted_peers:
      return "trusted peers only";
  }
  throw_bug("posture");
}

std::vector<Alternative> choices(const std::vector<Plug>& plugs) {
  std::vector<Alternative> out;
  out.reserve(plugs.size());
  for (const Plug& plug : plugs) out.push_back(choice(plug.name, plug.schema));
  return out;
}

std::string plug_table(const std::vector<Plug>& plugs) {
  std::string out = "| Plug | Maturity | Made for | Specifications | |\n|---|---|---|---|---|\n";
  for (const Plug& plug : plugs) {
    out += "| `" + plug.name + "` | " + std::string(name_of(plug.maturity)) + " | " +
           std::string(name_of(plug.posture)) + " | ";
    for (const std::string& spec : plug.specs) out += (&spec == &plug.specs.front() ? "" : ", ") + spec;
    out += " | " + plug.schema->doc + " |\n";
  }
  return out;
}

}  // namespace sallyport::config
