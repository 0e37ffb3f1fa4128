// Reads messages for tests/conformance/json_differential.py. Lines of JSON {"text": BASE64} are answered each with a line
// {"accept", "verb", "resource", "detail"}; the pointers are the arguments.

#include <iostream>
#include <string>

#include "sallyport/base/encoding.h"
#include "sallyport/base/json.h"
#include "sallyport/protocol/json/json.h"
#include "sallyport/ws/utf8.h"

namespace {

using namespace sallyport;

json::Object judge(const protocol::JsonAdapter& adapter, std::string_view text) {
  // What is not UTF-8 is refused before a message is looked into.
  ws::Utf8Validator utf8;
  if (!utf8.add(bytes_of(text)) || !utf8.complete()) return {{"accept", false}, {"detail", "not UTF-8"}};
  protocol::Workspace workspace;
  using protocol::Message;
  const auto read = adapter.read({protocol::Direction::to_backend, Message::Kind::text, bytes_of(text)}, workspace);
  if (!read.ok()) return {{"accept", false}, {"detail", read.error().detail}};
  return {{"accept", true}, {"verb", read->front().verb()}, {"resource", read->front().resource()}};
}

}  // namespace

int main(int count, char** arguments) {
  protocol::JsonConfig config;
  config.verb = count > 1 ? arguments[1] : "/type";
  config.resource = count > 2 ? arguments[2] : "";
  for (int i = 3; i < count; ++i) config.resource_optional.emplace_back(arguments[i]);
  const protocol::JsonAdapter adapter(config);
  for (std::string line; std::getline(std::cin, line);) {
    const auto request = json::parse(line);
    const auto text =
        request.ok() ? base64_decode(*request->find_string("text")) : Result<std::string>(request.error());
    if (!text.ok()) {
      std::cerr << text.error().detail << '\n';
      return 2;
    }
    std::cout << json::dump(json::Value(judge(adapter, *text))) << '\n';
  }
}
