#include <algorithm>

#include "sallyport/auth/token.h"

// Any request, any origin: at most one token comes out, in the form that mechanisms rely on, and never from a cookie without Origin.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace sallyport;
  http::HeadProgress progress;
  auto parsed = http::parse_request_head({data, size}, progress, http::Scheme::https);
  if (!parsed || !*parsed) return 0;
  const auto upgrade = http::parse_upgrade(std::move((*parsed)->request));
  if (!upgrade) return 0;
  const std::vector<auth::TokenSource> sources = {{auth::TokenPlace::header, {}},
                                                  {auth::TokenPlace::subprotocol, {}},
                                                  {auth::TokenPlace::cookie, "token"},
                                                  {auth::TokenPlace::query, "token"}};
  const auth::Peer peer{};
  for (const auto origin : {http::OriginProof::allowed, http::OriginProof::absent}) {
    auth::Evidence evidence{&upgrade->request(), origin, peer};
    evidence.subprotocols = upgrade->subprotocols();
    const auto found = auth::find_token(evidence, sources);
    if (!found || !*found) continue;
    const std::string_view token = (*found)->token.reveal();
    SALLYPORT_CHECK(!token.empty() && token.size() <= auth::max_token_size);
    SALLYPORT_CHECK(std::all_of(token.begin(), token.end(), [](char c) { return c > ' ' && c < 0x7f && c != '"'; }));
    SALLYPORT_CHECK(origin == http::OriginProof::allowed || (*found)->place != auth::TokenPlace::cookie);
  }
  return 0;
}
