#include "sallyport/protocol/json/config.h"

#include "sallyport/protocol/json/pointer.h"

namespace sallyport::protocol {

config::Schema<JsonConfig> json_schema() {
  const auto pointer = config::checked<std::string>([](const std::string& text) -> std::optional<std::string> {
    const auto parsed = JsonPointer::parse(text);
    if (parsed.ok()) return std::nullopt;
    return parsed.error().detail + ", such as /type; found " + config::quoted(text);
  });
  return config::schema<JsonConfig>(
             "routes.messages.operation",
             "Where a message, a JSON object in a text, says what it asks for. A message in which that cannot be told "
             "for certain ends the connection.",
             config::field(&JsonConfig::verb, "verb",
                           "JSON pointer to the member that names the verb, a string; every message has it.",
                           config::required, config::example("/type"), pointer),
             config::field(&JsonConfig::resource, "resource",
                           "JSON pointer to the member that names what the verb is about, a string or an integer. "
                           "Absent: no resource is looked for.",
                           config::example("/room"), pointer),
             config::field(&JsonConfig::resource_optional, "resource_optional",
                           "Verbs whose messages may come without the resource; every other message has it.",
                           config::example("[ping]")))
      .validated_by([](const JsonConfig& config, config::Check& check) {
        if (config.resource.empty()) {
          if (!config.resource_optional.empty())
            check.problem("resource_optional", "there is no resource that could be left out", "Add resource");
          return;
        }
        const JsonPointer verb = JsonPointer::parse(config.verb).value();
        const JsonPointer resource = JsonPointer::parse(config.resource).value();
        if (verb.covers(resource) || resource.covers(verb))
          check.problem("resource", "verb and resource are the same member, or one is inside the other",
                        "Point to two members");
      });
}

}  // namespace sallyport::protocol
