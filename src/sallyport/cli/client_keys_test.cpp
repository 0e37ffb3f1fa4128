#include "sallyport/cli/client_keys.h"

#include <doctest/doctest.h>

#include "sallyport/auth/signed_request/clients.h"
#include "sallyport/jose/jwk.h"

namespace sallyport::cli {
namespace {

using namespace std::chrono_literals;

const WallTime now = from_unix_seconds(1'800'000'000);

auth::Clients clients_of(const MadeClientKey& made) {
  auto clients = auth::Clients::parse(made.clients.reveal());
  REQUIRE(clients.ok());
  return std::move(*clients);
}

jose::SigningKey key_of(const MadeClientKey& made) {
  const auto document = json::parse(made.key.reveal());
  REQUIRE(document.ok());
  auto key = jose::SigningKey::parse(document->find("keys")->array()->front());
  REQUIRE(key.ok());
  return std::move(*key);
}

TEST_CASE("keys of clients: both halves belong together") {
  for (const auto algorithm : {crypto::Algorithm::HS256, crypto::Algorithm::EdDSA, crypto::Algorithm::ES256,
                               crypto::Algorithm::ES384, crypto::Algorithm::PS512}) {
    INFO(crypto::name(algorithm));
    NewClientKey wanted;
    wanted.client = "sensor-17";
    wanted.algorithm = algorithm;
    const auto made = make_client_key("", wanted, now);
    REQUIRE(made.ok());
    const auth::Clients clients = clients_of(*made);
    const auth::ClientKey* verifying = clients.find(made->kid);
    REQUIRE(verifying);
    CHECK(verifying->client->name == "sensor-17");
    CHECK(!verifying->not_after);
    const jose::SigningKey signing = key_of(*made);
    CHECK(signing.kid() == made->kid);
    const std::string signature = signing.sign(bytes_of("text"));
    CHECK(verifying->key.verify(algorithm, bytes_of("text"), bytes_of(signature)));
    const bool secret_in_both = made->clients.reveal().find("\"d\"") != std::string_view::npos;
    CHECK(!secret_in_both);
  }
}

TEST_CASE("keys of clients: a further key, and the end of the one before") {
  NewClientKey wanted;
  wanted.client = "sensor-17";
  wanted.kid = "first";
  wanted.members = {{"tenant", "acme"}};
  wanted.labels = {{"device", "t-1000"}, {"site", "north"}};
  const auto first = make_client_key("", wanted, now);
  REQUIRE(first.ok());

  CHECK(!make_client_key(first->clients.reveal(), wanted, now).ok());

  wanted.kid = "second";
  wanted.members = {{"roles", json::Array{"sensor"}}};
  wanted.labels = {{"site", "south"}};
  wanted.valid = 24h;
  wanted.retire = 1h;
  const auto second = make_client_key(first->clients.reveal(), wanted, now);
  REQUIRE(second.ok());
  CHECK(second->not_after == now + 24h);
  const auth::Clients clients = clients_of(*second);
  CHECK(clients.find("first")->not_after == now + 1h);
  CHECK(clients.find("second")->not_after == now + 24h);
  const auth::Client& client = *clients.find("second")->client;
  CHECK(client.tenant == "acme");
  CHECK(client.roles == std::vector<std::string>{"sensor"});
  CHECK(json::dump(client.labels) == R"({"device":"t-1000","site":"south"})");

  wanted.kid = "third";
  wanted.retire = 2h;
  const auto third = make_client_key(second->clients.reveal(), wanted, now);
  REQUIRE(third.ok());
  CHECK(clients_of(*third).find("first")->not_after == now + 1h);
  CHECK(clients_of(*third).find("second")->not_after == now + 2h);

  NewClientKey another;
  another.client = "sensor-18";
  const auto fourth = make_client_key(third->clients.reveal(), another, now);
  REQUIRE(fourth.ok());
  CHECK(clients_of(*fourth).keys().size() == 4);
}

TEST_CASE("keys of clients: a file that is none is not written over") {
  NewClientKey wanted;
  wanted.client = "sensor-17";
  CHECK(!make_client_key("nonsense", wanted, now).ok());
  CHECK(!make_client_key("{\"keys\":[]}", wanted, now).ok());
  wanted.client = "";
  CHECK(!make_client_key("", wanted, now).ok());
}

}  // namespace
}  // namespace sallyport::cli
