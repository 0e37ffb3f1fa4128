#pragma once

#include <span>
#include <string>

#include "sallyport/cli/arguments.h"

namespace sallyport::cli {

Verb serve_verb();
Verb check_verb();
Verb explain_verb();
Verb keys_new_verb();
Verb keys_list_verb();
Verb keys_rotate_verb();
Verb token_issue_verb();
Verb token_inspect_verb();
Verb token_verify_verb();
Verb token_revoke_verb();
Verb token_sign_request_verb();
Verb connections_list_verb();
Verb connections_close_verb();
Verb revoke_verb();
Verb completion_verb();

/// Every verb, in the order of the help.
std::span<const Verb> verbs();

/// The whole program. Returns what the process ends with.
int run(std::span<const std::string> words);

}  // namespace sallyport::cli
