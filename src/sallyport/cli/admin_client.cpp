#include "sallyport/cli/admin_client.h"

#include <curl/curl.h>

#include <memory>

#include "sallyport/cli/configuration.h"
#include "sallyport/http/authority.h"
#include "sallyport/net/socket.h"

namespace sallyport::cli {
namespace {

constexpr std::size_t longest_answer = std::size_t{256} << 20;
constexpr long timeout_seconds = 30;

struct FreeEasy {
  void operator()(CURL* easy) const { curl_easy_cleanup(easy); }
};
struct FreeList {
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};

std::size_t take_body(char* data, std::size_t, std::size_t size, void* into) {
  std::string& body = *static_cast<std::string*>(into);
  if (body.size() + size > longest_answer) return 0;
  body.append(data, size);
  return size;
}

Error misused(std::string detail) { return {Reason::request_invalid, std::move(detail)}; }

/// Plain HTTP would give the token to whoever sits on the way.
Result<void> check_url(const std::string& url) {
  if (url.starts_with("https://")) return {};
  if (!url.starts_with("http://")) return misused("--admin: a URL such as http://127.0.0.1:9443 expected");
  std::string_view host = std::string_view(url).substr(7);
  host = host.substr(0, host.find('/'));
  const Result<http::Authority> authority = http::parse_authority(host);
  if (!authority.ok()) return misused("--admin: " + authority.error().detail);
  const auto endpoint = net::Endpoint::parse_ip(authority->host, 1);
  if (authority->host == "localhost" || (endpoint.ok() && endpoint->is_loopback())) return {};
  return Error{Reason::config_invalid, "--admin: plain http:// is only for this machine; use https://"};
}

Result<std::string> url_of(const gateway::AdminSettings& admin) {
  if (admin.address.port == 0)
    return misused("admin.address has port 0: give the port that the gateway logged, by --admin URL");
  config::Address address = admin.address;
  if (address.host == "0.0.0.0") address.host = "127.0.0.1";
  if (address.host == "::") address.host = "::1";
  return (admin.tls ? "https://" : "http://") + config::show(address);
}

}  // namespace

std::vector<Flag> admin_flags() {
  return {{"--config", "FILE", "The gateway's configuration, which names admin address and token."},
          {"--admin", "URL", "Where the admin API is, instead; https, or http on this machine."},
          {"--token-file", "FILE", "The admin token, instead."},
          {"--ca-file", "FILE", "Authorities to verify https with; by default the system's."}};
}

std::vector<Flag> with_admin_flags(std::vector<Flag> flags) {
  for (const Flag& flag : admin_flags()) flags.push_back(flag);
  return flags;
}

Result<AdminClient> AdminClient::make(const Arguments& arguments) {
  const config::Environment environment = config::process_environment();
  std::string url = arguments.value_or("--admin", "");
  const std::string token_file = arguments.value_or("--token-file", "");
  config::SecretSource token{config::SecretSource::Kind::file, token_file};
  if (url.empty() || token_file.empty()) {
    const auto file = arguments.find("--config");
    if (!file) return misused("--config FILE is needed, or --admin URL with --token-file FILE");
    const Configuration loaded = load_configuration(*file, environment);
    if (!loaded.reading.ok()) return loaded.reading.problems.error();
    const auto& admin = loaded.reading.config.admin;
    if (!admin) return Error{Reason::config_invalid, *file + ": has no admin port"};
    if (url.empty()) {
      TRY(url, url_of(*admin));
    }
    if (token_file.empty()) token = admin->token;
  }
  while (url.ends_with('/')) url.pop_back();
  TRY_OK(check_url(url));
  TRY(Secret secret, config::load_secret(token, environment));
  return AdminClient(std::move(url), std::move(secret), arguments.value_or("--ca-file", ""));
}

Result<json::Value> AdminClient::call(const std::string& method, const std::string& path,
                                      std::optional<json::Object> body) const {
  curl_global_init(CURL_GLOBAL_DEFAULT);
  const std::unique_ptr<CURL, FreeEasy> easy(curl_easy_init());
  SALLYPORT_CHECK(easy != nullptr);
  const Secret authorization("Authorization: Bearer " + std::string(token_.reveal()));
  curl_slist* fields = curl_slist_append(nullptr, std::string(authorization.reveal()).c_str());
  fields = curl_slist_append(fields, "Content-Type: application/json");
  fields = curl_slist_append(fields, "Expect:");
  const std::unique_ptr<curl_slist, FreeList> owned_fields(fields);
  std::string sent = body ? json::dump(json::Value(*std::move(body))) : std::string();
  std::string received;
  char trouble[CURL_ERROR_SIZE] = "";
  curl_easy_setopt(easy.get(), CURLOPT_URL, (url_ + path).c_str());
  curl_easy_setopt(easy.get(), CURLOPT_CUSTOMREQUEST, method.c_str());
  curl_easy_setopt(easy.get(), CURLOPT_HTTPHEADER, fields);
  if (!sent.empty()) {
    curl_easy_setopt(easy.get(), CURLOPT_POSTFIELDSIZE, static_cast<long>(sent.size()));
    curl_easy_setopt(easy.get(), CURLOPT_POSTFIELDS, sent.c_str());
  }
  curl_easy_setopt(easy.get(), CURLOPT_PROXY, "");
  curl_easy_setopt(easy.get(), CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(easy.get(), CURLOPT_TIMEOUT, timeout_seconds);
  curl_easy_setopt(easy.get(), CURLOPT_NOSIGNAL, 1L);
  if (!ca_file_.empty()) curl_easy_setopt(easy.get(), CURLOPT_CAINFO, ca_file_.c_str());
  curl_easy_setopt(easy.get(), CURLOPT_WRITEFUNCTION, take_body);
  curl_easy_setopt(easy.get(), CURLOPT_WRITEDATA, &received);
  curl_easy_setopt(easy.get(), CURLOPT_ERRORBUFFER, trouble);
  const CURLcode code = curl_easy_perform(easy.get());
  if (code != CURLE_OK) {
    return Error{Reason::upstream_unavailable, url_ + ": " + (trouble[0] ? trouble : curl_easy_strerror(code))};
  }
  long status = 0;
  curl_easy_getinfo(easy.get(), CURLINFO_RESPONSE_CODE, &status);
  Result<json::Value> answer = json::parse(received);
  if (status >= 200 && status < 300 && answer.ok()) return answer;
  const std::string* detail = answer.ok() ? answer->find_string("detail") : nullptr;
  const std::string what = detail ? *detail : "status " + std::to_string(status);
  return Error{status == 404 ? Reason::request_not_found : Reason::upstream_refused, url_ + ": " + what};
}

std::string path_segment(std::string_view text) {
  std::string out;
  constexpr std::string_view digits = "0123456789ABCDEF";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    const bool plain =
        (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
    if (plain) {
      out += c;
    } else {
      out += '%';
      out += digits[byte >> 4U];
      out += digits[byte & 15U];
    }
  }
  return out;
}

}  // namespace sallyport::cli
