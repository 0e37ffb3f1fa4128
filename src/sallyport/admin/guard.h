#pragma once

#include "sallyport/base/result.h"
#include "sallyport/base/secret.h"
#include "sallyport/http/request.h"

/// Who may talk to the operators' port. Pages in an operator's browser may not, whatever they know: a page can reach any port of
/// its user's machine, and by DNS rebinding under a name of its own.
namespace sallyport::admin {

/// Refuses what a web page sends: any Origin, a Sec-Fetch-Site other than `none`, and, where no certificate vouches for the
/// name, a Host that is neither an IP address nor `localhost`.
/// Trust:  `request` is hostile.
/// Errors: `origin.not_allowed`.
Result<void> check_no_page(const http::Request& request);

/// Trust:  `request` is hostile; time tells nothing about `token`.
/// Errors: `admin.unauthorized` unless exactly one Authorization field presents `token` as Bearer.
Result<void> check_operator(const http::Request& request, const Secret& token);

}  // namespace sallyport::admin
