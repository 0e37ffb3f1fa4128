// A Secret does not go into an error's detail.
// wrong: invalid operands|no match
#include "sallyport/base/result.h"
#include "sallyport/base/secret.h"

using namespace sallyport;

Error refuse(const std::string& where, const Secret& token) {
#ifdef WRONG
  return {Reason::credential_invalid, where + token};
#else
  return {Reason::credential_invalid, where + " of " + std::to_string(token.size()) + " bytes"};
#endif
}
