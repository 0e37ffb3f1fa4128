// Control texts: what parse_control accepts must have been recognised as the gateway's, or it would have reached the
// backend; and what is strict JSON with the name in front must be recognised.
#include <cstdlib>

#include "sallyport/base/json.h"
#include "sallyport/ws/control.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace sallyport;
  const Bytes payload(data, size);
  const bool ours = ws::is_control_text(payload);
  const auto request = ws::parse_control(payload);
  if (request.ok() && (!ours || request->token.empty())) std::abort();
  if (!request.ok() && request.error().reason != Reason::control_malformed) std::abort();
  const auto document = json::parse(text_of(payload));
  if (document.ok()) {
    const json::Object* object = document->object();
    const bool named = object != nullptr && !object->empty() && object->front().first == "$sallyport";
    if (named != ours) std::abort();
    const bool anywhere = object != nullptr && document->find("$sallyport") != nullptr;
    if (anywhere != ws::may_pass_for_notice(payload)) std::abort();
  }
  return 0;
}
