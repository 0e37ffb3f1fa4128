#include "sallyport/cli/console.h"
#include "sallyport/cli/verbs.h"
#include "sallyport/config/document.h"
#include "sallyport/gateway/plugs.h"
#include "sallyport/gateway/settings.h"

namespace sallyport::cli {
namespace {

std::string reasons_table() {
  static constexpr std::string_view retries[] = {"no", "with a fresh credential", "later"};
  std::string out = "| Reason | HTTP status | Close code | Told | Try again |\n|---|---|---|---|---|\n";
  for (const ReasonRow& row : reason_table) {
    out += "| `" + std::string(row.name) + "` | " + std::to_string(row.http_status) + " | " +
           std::to_string(row.close_code) + " | " + std::string(row.told) + " | " +
           std::string(retries[static_cast<std::size_t>(row.retry)]) + " |\n";
  }
  return out;
}

int explain(const Arguments& arguments) {
  const auto schema = gateway::settings_schema();
  if (arguments.has("--json-schema")) {
    if (!arguments.operands().empty()) {
      complain("--json-schema is of the whole configuration and takes no KEY");
      return exit_misused;
    }
    print(json::dump(config::json_schema(schema)) + "\n");
    return exit_good;
  }
  if (arguments.has("--reasons")) {
    print(reasons_table());
    return exit_good;
  }
  if (arguments.has("--plugs")) {
    print("## Authenticators\n\n" + config::plug_table(gateway::authenticator_plugs()) + "\n## Stores\n\n" +
          config::plug_table(gateway::store_plugs()) + "\n## Protocols of messages\n\n" +
          config::plug_table(gateway::adapter_plugs()));
    return exit_good;
  }
  if (arguments.operands().empty()) {
    print(config::reference(schema));
    return exit_good;
  }
  const Result<std::string> text = config::explain(schema, arguments.operands().front());
  if (!text.ok()) return complain(text.error());
  print(*text);
  return exit_good;
}

}  // namespace

Verb explain_verb() {
  return {.name = "explain",
          .line = "Tells what a setting means, or all of them.",
          .operands = "[KEY]",
          .most_operands = 1,
          .flags = {{"--json-schema", "", "Writes the JSON Schema of the configuration, for editors."},
                    {"--reasons", "", "Lists why a peer may be turned away, with statuses and close codes."},
                    {"--plugs", "", "Lists the mechanisms, stores and protocols that can be chosen."}},
          .details =
              "KEY is a path or the end of one: `routes.limits.message_size`, `message_size`. Without it, the whole "
              "reference.",
          .example = "sallyport explain routes.limits.message_size",
          .run = explain};
}

}  // namespace sallyport::cli
