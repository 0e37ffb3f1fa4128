#include "sallyport/auth/session/sources/asking.h"

namespace sallyport::auth {

net::Task<Result<FoundSessions>> find_by(SendKeys send, std::vector<std::string> keys, net::Loop& here,
                                         net::Deadline deadline) {
  FoundSessions found(keys.size());
  std::vector<std::string> asked;
  std::vector<std::size_t> places;
  for (std::size_t i = 0; i < keys.size(); ++i) {
    if (!check_session_key(keys[i]).ok()) continue;
    asked.push_back(std::move(keys[i]));
    places.push_back(i);
  }
  if (asked.empty()) co_return found;
  auto board = std::make_shared<ErrandBoard<FoundSessions>>();
  send(std::move(asked), deadline.at - here.now(), std::make_shared<Errand<FoundSessions>>(board));
  auto waiting = wait_for_answer(board, here, deadline);
  CO_TRY(FoundSessions answers, co_await waiting);
  SALLYPORT_CHECK(answers.size() == places.size());
  for (std::size_t i = 0; i < places.size(); ++i) found[places[i]] = std::move(answers[i]);
  co_return found;
}

}  // namespace sallyport::auth
