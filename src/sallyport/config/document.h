#pragma once

#include <string>
#include <string_view>

#include "sallyport/base/json.h"
#include "sallyport/config/schema.h"

/// What a schema says, for editors, readers and the command line.
namespace sallyport::config {

/// The JSON Schema of a whole configuration file, for editors that complete and check YAML. It accepts all that `read`
/// accepts; `read` is the stricter of the two (ranges of durations and sizes, rules over several settings). Spec: JSON
/// Schema draft 2020-12.
json::Value json_schema(const AnySchema& schema);

/// The reference page: for the schema and each schema below it a heading, its docstring and a Markdown table of its
/// keys.
std::string reference(const AnySchema& schema);

/// What there is to know about `key`: a path (`routes.limits.message_size`, with or without `[0]` or `[]`) or the end
/// of one, in which case every setting that has it is explained. Errors: `request.not_found`, the detail names the
/// nearest key.
Result<std::string> explain(const AnySchema& schema, std::string_view key);

}  // namespace sallyport::config
