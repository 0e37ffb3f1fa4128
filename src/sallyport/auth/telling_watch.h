#pragma once

#include <string>

#include "sallyport/auth/authenticator.h"

namespace sallyport::auth {

/// A watch that can say that it does not tell.
class TellingWatch : public Watch {
 public:
  /// Why changes are not told at once now; empty when they are. For operators, never a secret. When it has changed, `changed` is called
  /// with an empty key. Threads: the control loop's.
  virtual std::string trouble() const = 0;
};

}  // namespace sallyport::auth
