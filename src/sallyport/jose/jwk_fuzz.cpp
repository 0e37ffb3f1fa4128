#include <cstdint>

#include "sallyport/base/encoding.h"
#include "sallyport/jose/jwk.h"

using namespace sallyport;
using namespace sallyport::jose;

// The input as a key set of each kind, and as a private key.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text = text_of(Bytes(data, size));
  for (const KeyKinds kinds : {KeyKinds::public_only, KeyKinds::any}) {
    const auto set = JwkSet::parse(text, {kinds, WeakSecrets::dangerous_allowed});
    if (!set.ok()) continue;
    SALLYPORT_CHECK(!set->keys().empty());
    for (const Jwk& key : set->keys()) {
      if (const auto* public_key = key.public_key()) {
        // What was read can be written and read again, and is the same key.
        const auto again = Jwk::parse(json::Value(to_jwk(*public_key)));
        SALLYPORT_CHECK(again.ok() && thumbprint(*again->public_key()) == thumbprint(*public_key));
      } else {
        SALLYPORT_CHECK(kinds == KeyKinds::any);
      }
      for (const Algorithm algorithm : crypto::all_algorithms) {
        SALLYPORT_CHECK(!key.verify(algorithm, {}, {}));
        const auto found = set->find(key.kid(), algorithm);
        SALLYPORT_CHECK((found.key != nullptr) == (found.lookup == KeyLookup::found));
      }
    }
  }
  if (const auto jwk = json::parse(text, 4); jwk.ok())
    static_cast<void>(SigningKey::parse(*jwk, WeakSecrets::dangerous_allowed));
  static_cast<void>(crypto::PublicKey::parse_pem(text));
  return 0;
}
