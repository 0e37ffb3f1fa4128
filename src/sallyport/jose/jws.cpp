#include "sallyport/jose/jws.h"

#include <array>

#include "sallyport/base/encoding.h"

namespace sallyport::jose {
namespace {

constexpr int max_header_depth = 8;

Error invalid(std::string detail) { return Error{Reason::credential_invalid, "token: " + std::move(detail)}; }

// The three parts of a compact JWS, still encoded.
Result<std::array<std::string_view, 3>> split(std::string_view compact) {
  const std::size_t first = compact.find('.');
  const std::size_t second = first == std::string_view::npos ? first : compact.find('.', first + 1);
  if (second == std::string_view::npos) return invalid("fewer than three parts");
  if (compact.find('.', second + 1) != std::string_view::npos) return invalid("more than three parts");
  return std::array{compact.substr(0, first), compact.substr(first + 1, second - first - 1),
                    compact.substr(second + 1)};
}

Result<std::string> decode(std::string_view part, const char* name) {
  auto bytes = base64url_decode(part);
  if (!bytes.ok()) return invalid(std::string(name) + " is no canonical base64url");
  return bytes;
}

}  // namespace

Result<Jws> parse_jws(std::string_view compact, std::size_t max_bytes) {
  if (compact.size() > max_bytes)
    return invalid(std::to_string(compact.size()) + " bytes, " + std::to_string(max_bytes) + " allowed");
  TRY(const auto parts, split(compact));
  TRY(const std::string header_text, decode(parts[0], "header"));
  TRY(std::string payload, decode(parts[1], "payload"));
  TRY(std::string signature, decode(parts[2], "signature"));

  auto header = json::parse(header_text, max_header_depth);
  if (!header.ok()) return invalid("header: " + header.error().detail);
  if (!header->object()) return invalid("header is no JSON object");
  for (const char* name : {"crit", "b64"}) {
    if (header->find(name)) return invalid("header holds `" + std::string(name) + "`, which is not understood");
  }
  const std::string* name = header->find_string("alg");
  if (!name) return invalid("header lacks `alg`");
  const auto algorithm = parse_algorithm(*name);
  if (!algorithm) return invalid("`alg` is not known");
  std::optional<std::string> kid;
  if (const json::Value* member = header->find("kid")) {
    if (!member->string()) return invalid("`kid` is no string");
    kid = *member->string();
  }
  if (const json::Value* member = header->find("typ"); member && !member->string())
    return invalid("`typ` is no string");
  const std::string_view signing_input = compact.substr(0, parts[0].size() + 1 + parts[1].size());
  return Jws{std::move(header).value(), *algorithm,           std::move(kid),
             std::move(payload),        std::move(signature), signing_input};
}

JwsVerdict verify_jws(std::string_view compact, const JwkSet& keys, AlgorithmSet allowed, std::size_t max_bytes) {
  auto parsed = parse_jws(compact, max_bytes);
  if (!parsed.ok()) return {std::move(parsed), KeyLookup::not_tried};
  const Jws& jws = *parsed;
  const auto refuse = [&](std::string why, KeyLookup lookup) {
    return JwsVerdict{invalid(std::string(crypto::name(jws.algorithm)) + " " + std::move(why)), lookup};
  };
  if (!allowed.contains(jws.algorithm)) return refuse("is not among the allowed algorithms", KeyLookup::not_tried);

  const auto found = keys.find(jws.kid, jws.algorithm);
  if (!found.key) {
    crypto::spend_verification(jws.algorithm, bytes_of(jws.signing_input), bytes_of(jws.signature));
    switch (found.lookup) {
      case KeyLookup::unknown_kid:
        return refuse("with a `kid` that names no key", found.lookup);
      case KeyLookup::ambiguous:
        return refuse("without a `kid` that tells which key is meant", found.lookup);
      default:
        return refuse("does not fit any key that could be meant", found.lookup);
    }
  }
  if (!found.key->verify(jws.algorithm, bytes_of(jws.signing_input), bytes_of(jws.signature))) {
    return refuse("signature is wrong", KeyLookup::found);
  }
  return {std::move(parsed), KeyLookup::found, found.key};
}

std::string sign_jws(const json::Object& extra, std::string_view payload, const SigningKey& key) {
  json::Object header{{"alg", crypto::name(key.algorithm())}, {"kid", key.kid()}};
  for (const auto& member : extra) {
    SALLYPORT_CHECK(member.first != "alg" && member.first != "kid");
    header.push_back(member);
  }
  std::string out = base64url_encode(bytes_of(json::dump(json::Value(std::move(header)))));
  out += '.';
  out += base64url_encode(bytes_of(payload));
  const std::string signature = key.sign(bytes_of(out));
  out += '.';
  out += base64url_encode(bytes_of(signature));
  return out;
}

}  // namespace sallyport::jose
