#include "sallyport/config/document.h"

#include <algorithm>

namespace sallyport::config {

namespace {

json::Value object_schema(const SchemaData& schema);

json::Value alternatives_schema(const std::vector<Alternative>& alternatives) {
  json::Object properties;
  for (const Alternative& alternative : alternatives)
    properties.emplace_back(alternative.key, object_schema(*alternative.schema));
  return json::Object{{"type", "object"},
                      {"properties", std::move(properties)},
                      {"additionalProperties", false},
                      {"minProperties", std::int64_t{1}},
                      {"maxProperties", std::int64_t{1}}};
}

json::Value value_schema(const FieldSpec& field) {
  json::Value value;
  if (const SchemaPtr nested = field.type->nested())
    value = object_schema(*nested);
  else if (const auto* alternatives = field.type->alternatives())
    value = alternatives_schema(*alternatives);
  else
    value = field.type->json_schema();
  if (field.type->suffix().empty()) return value;
  json::Object list{{"type", "array"}, {"items", std::move(value)}};
  if (field.required) list.emplace_back("minItems", std::int64_t{1});
  return list;
}

json::Object described(json::Value value, const SchemaData& schema, const FieldSpec& field) {
  json::Object out;
  if (const json::Object* members = value.object()) out = *members;
  std::erase_if(out, [](const auto& member) { return member.first == "description"; });
  out.emplace_back("description", field.doc);
  if (!field.required) {
    if (auto value_of_default = field.type->json_value(schema.default_of(field)))
      out.emplace_back("default", std::move(*value_of_default));
  }
  if (!field.example.empty()) out.emplace_back("examples", json::Array{field.example});
  return out;
}

json::Value required_member(const std::string& key) { return json::Object{{"required", json::Array{key}}}; }

// That `field` is given: the one key, or for a secret one of its two.
json::Value given(const FieldSpec& field) {
  if (!field.type->is_secret()) return required_member(field.name);
  return json::Object{{"anyOf", json::Array{required_member(field.name + "_file"), required_member(field.name)}}};
}

json::Value object_schema(const SchemaData& schema) {
  if (schema.written_as_list) {
    json::Object list = described(value_schema(schema.fields.front()), schema, schema.fields.front());
    std::erase_if(list, [](const auto& member) { return member.first == "default"; });
    return list;
  }
  json::Object properties;
  json::Array required;
  json::Array conditions;
  for (const FieldSpec& field : schema.fields) {
    if (field.type->is_secret()) {
      properties.emplace_back(
          field.name + "_file",
          json::Object{{"type", "string"},
                       {"minLength", std::int64_t{1}},
                       {"description", field.doc + " This is the path of the file that holds it."}});
      json::Object reference{{"$ref", "#/$defs/environment"}, {"description", field.doc}};
      properties.emplace_back(field.name, std::move(reference));
      json::Object both{{"required", json::Array{field.name + "_file", field.name}}};
      conditions.emplace_back(json::Object{{"not", std::move(both)}});
      if (field.required) conditions.push_back(given(field));
      continue;
    }
    properties.emplace_back(field.name, described(value_schema(field), schema, field));
    if (field.required) required.emplace_back(field.name);
  }
  for (const auto& keys : schema.exactly_one) {
    json::Array one;
    for (const std::string& key : keys) one.push_back(given(*schema.find(key)));
    conditions.emplace_back(json::Object{{"oneOf", std::move(one)}});
  }
  for (const auto& keys : schema.at_most_one) {
    json::Array one;
    json::Array any;
    for (const std::string& key : keys) {
      one.push_back(given(*schema.find(key)));
      any.push_back(given(*schema.find(key)));
    }
    one.emplace_back(json::Object{{"not", json::Object{{"anyOf", std::move(any)}}}});
    conditions.emplace_back(json::Object{{"oneOf", std::move(one)}});
  }
  json::Object out{{"type", "object"}, {"description", schema.doc}};
  if (!properties.empty()) out.emplace_back("properties", std::move(properties));
  out.emplace_back("additionalProperties", false);
  if (!required.empty()) out.emplace_back("required", std::move(required));
  if (!conditions.empty()) out.emplace_back("allOf", std::move(conditions));
  return out;
}

/// One key, or one alternative of a one-of, with its place in the whole.
struct Place {
  std::string path;            ///< `routes[].limits.message_size`
  const SchemaData* owner;     ///< the schema with the field; nullptr for an alternative
  const FieldSpec* field;      ///< nullptr for an alternative
  const SchemaData* contents;  ///< the schema of the map there; nullptr for a plain value
};

// In the order of a reference page: a schema's keys together, then what stands below them.
void collect(const SchemaData& schema, const std::string& path, std::vector<Place>& out) {
  const auto below = [&](const FieldSpec& field) {
    return path + (path.empty() ? "" : ".") + field.name + field.type->suffix();
  };
  for (const FieldSpec& field : schema.fields)
    out.push_back({below(field), &schema, &field, field.type->nested().get()});
  for (const FieldSpec& field : schema.fields) {
    if (const SchemaPtr nested = field.type->nested()) collect(*nested, below(field), out);
    if (const auto* alternatives = field.type->alternatives()) {
      for (const Alternative& alternative : *alternatives) {
        out.push_back({below(field) + "." + alternative.key, nullptr, nullptr, alternative.schema.get()});
        if (alternative.schema->written_as_list) continue;  // what may stand in it is told elsewhere
        collect(*alternative.schema, below(field) + "." + alternative.key, out);
      }
    }
  }
}

std::string default_text(const SchemaData& owner, const FieldSpec& field) {
  if (field.required) return "required";
  if (field.type->nested() && field.type->suffix().empty()) {
    const std::string shown = field.type->show(owner.default_of(field));
    return shown == "none" ? shown : "as below";
  }
  const std::string shown = field.type->show(owner.default_of(field));
  return shown.empty() || shown == "\"\"" ? "none" : shown;
}

std::string cell(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '|') out += '\\';
    out += c == '\n' ? ' ' : c;
  }
  return out;
}

std::string key_text(const FieldSpec& field) {
  return field.type->is_secret() ? "`" + field.name + "_file` or `" + field.name + ": env:NAME`"
                                 : "`" + field.name + "`";
}

void append_table(const SchemaData& schema, std::string& out) {
  out += schema.doc + "\n";
  if (schema.written_as_list) {
    out += "\nA " + schema.fields.front().type->name() + ": " + schema.fields.front().doc + "\n";
    return;
  }
  if (!schema.fields.empty()) {
    out += "\n| Key | Type | Default | Meaning |\n|---|---|---|---|\n";
    for (const FieldSpec& field : schema.fields) {
      std::string type = field.type->name();
      if (!field.type->allowed().empty()) type += ", " + field.type->allowed();
      const std::string by_default = default_text(schema, field);
      const bool word = by_default == "required" || by_default == "none" || by_default == "as below";
      out += "| " + key_text(field) + " | " + cell(type) + " | " + (word ? by_default : "`" + cell(by_default) + "`") +
             " | " + cell(field.doc);
      if (!field.example.empty()) out += " Example: `" + cell(field.example) + "`.";
      out += " |\n";
    }
  }
  const auto quoted_list = [](const std::vector<std::string>& keys) {
    std::string list;
    for (const std::string& key : keys) list += (list.empty() ? "`" : ", `") + key + "`";
    return list;
  };
  for (const auto& keys : schema.exactly_one) out += "\nExactly one of " + quoted_list(keys) + " is given.\n";
  for (const auto& keys : schema.at_most_one) out += "\nAt most one of " + quoted_list(keys) + " is given.\n";
}

std::string without_brackets(std::string_view path) {
  std::string out;
  bool inside = false;
  for (const char c : path) {
    if (c == '[') inside = true;
    if (!inside) out += c;
    if (c == ']') inside = false;
  }
  return out;
}

std::string explain_place(const Place& place) {
  std::string out = place.path + "\n";
  const auto line = [&](const char* label, const std::string& text) {
    if (!text.empty()) out += std::string("  ") + label + text + "\n";
  };
  if (place.field == nullptr) {
    out += "  " + place.contents->doc + "\n";
  } else {
    const FieldSpec& field = *place.field;
    out += "  " + field.doc + "\n";
    line("Type:     ", field.type->name());
    line("Allowed:  ", field.type->allowed());
    line("Default:  ", default_text(*place.owner, field));
    if (field.type->is_secret())
      line("Example:  ", field.name + "_file: secrets/" + field.name + ", or " + field.name + ": env:NAME");
    else if (const std::string example = field.example.empty() ? field.type->example() : field.example;
             !example.empty())
      line("Example:  ", field.name + ": " + example);
    if (field.dangerous) line("Danger:   ", "must be listed under acknowledge");
  }
  if (place.contents != nullptr) {
    std::string keys;
    for (const FieldSpec& field : place.contents->fields)
      keys += (keys.empty() ? "" : ", ") + field.name + (field.type->is_secret() ? "_file" : "");
    line("Keys:     ", keys);
  }
  return out;
}

}  // namespace

json::Value json_schema(const AnySchema& schema) {
  json::Object out{{"$schema", "https://json-schema.org/draft/2020-12/schema"}, {"title", schema->name}};
  const json::Value body = object_schema(*schema);
  for (const auto& member : *body.object()) out.push_back(member);
  json::Object environment{{"type", "string"},
                           {"pattern", "^env:[A-Za-z_][A-Za-z0-9_]*$"},
                           {"description", "Taken from an environment variable."}};
  out.emplace_back("$defs", json::Object{{"environment", std::move(environment)}});
  return out;
}

std::string reference(const AnySchema& schema) {
  std::string out = "# " + schema->name + "\n\n";
  append_table(*schema, out);
  std::vector<Place> places;
  collect(*schema, "", places);
  for (const Place& place : places) {
    if (place.contents == nullptr) continue;
    out += "\n## `" + place.path + "`\n\n";
    append_table(*place.contents, out);
  }
  return out;
}

Result<std::string> explain(const AnySchema& schema, std::string_view key) {
  std::vector<Place> places;
  collect(*schema, "", places);
  std::string wanted = without_brackets(key);
  const auto matches = [&](const Place& place, std::string_view path, std::string_view suffix) {
    if (path == suffix) return true;
    if (place.field == nullptr || !place.field->type->is_secret()) return false;
    return std::string(path) + "_file" == suffix;
  };
  std::string out;
  std::string parts;
  for (const Place& place : places) {
    const std::string path = without_brackets(place.path);
    if (matches(place, path, wanted)) return explain_place(place);
    for (std::size_t dot = path.find('.'); dot != std::string::npos; dot = path.find('.', dot + 1)) {
      if (!matches(place, std::string_view(path).substr(dot + 1), wanted)) continue;
      parts += (parts.empty() ? "" : "\n") + explain_place(place);
      break;
    }
  }
  if (!parts.empty()) return parts;
  // A misspelt path is compared with paths, a lone word with the last words of paths.
  std::vector<std::string> known;
  for (const Place& place : places) {
    std::string path = without_brackets(place.path);
    if (wanted.find('.') == std::string::npos && path.rfind('.') != std::string::npos)
      path.erase(0, path.rfind('.') + 1);
    known.push_back(std::move(path));
  }
  const std::string_view near = nearest(wanted, {known.begin(), known.end()});
  return Error{Reason::request_not_found, "no setting is called " + quoted(key) +
                                              (near.empty() ? "" : ". Did you mean " + std::string(near) + "?")};
}

}  // namespace sallyport::config
