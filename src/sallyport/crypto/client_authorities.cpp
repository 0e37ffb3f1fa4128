#include "sallyport/crypto/client_authorities.h"

#include <openssl/pem.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>

#include "sallyport/crypto/x509.h"

namespace sallyport::crypto {
namespace {

// 112 bits: RSA from 2048 bits, curves from 224, hashes from SHA-224 on; SHA-1 is below.
constexpr int security_level = 2;
constexpr std::size_t most_certificates = 16;

// What tells a file that was replaced or rewritten from one that was not.
struct Stamp {
  std::int64_t seconds = 0;
  std::int64_t nanoseconds = 0;
  std::uint64_t size = 0;
  std::uint64_t inode = 0;
  bool operator==(const Stamp&) const = default;
};

Error unreadable(const std::string& file, const std::string& why) {
  return {Reason::config_invalid, "'" + file + "': " + why};
}

Result<Stamp> stamp_of(const std::string& file) {
  struct stat about{};
  if (::stat(file.c_str(), &about) != 0) return unreadable(file, std::strerror(errno));
  return Stamp{about.st_mtim.tv_sec, about.st_mtim.tv_nsec, static_cast<std::uint64_t>(about.st_size), about.st_ino};
}

Result<std::string> text_of_file(const std::string& file) {
  std::ifstream in(file, std::ios::binary);
  if (!in) return unreadable(file, std::strerror(errno));
  std::string text((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
  if (in.bad()) return unreadable(file, "cannot be read");
  return text;
}

Result<OwnedX509Infos> infos_of(const std::string& file, const std::string& text) {
  const OwnedBio bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
  SALLYPORT_CHECK(bio != nullptr);
  OwnedX509Infos infos(PEM_X509_INFO_read_bio(bio.get(), nullptr, +[](char*, int, int, void*) { return -1; }, nullptr));
  if (!infos) return unreadable(file, "not PEM");
  return infos;
}

// Trouble with a list, not with a certificate.
bool is_of_lists(int code) {
  switch (code) {
    case X509_V_ERR_UNABLE_TO_GET_CRL:
    case X509_V_ERR_UNABLE_TO_GET_CRL_ISSUER:
    case X509_V_ERR_UNABLE_TO_DECRYPT_CRL_SIGNATURE:
    case X509_V_ERR_CRL_SIGNATURE_FAILURE:
    case X509_V_ERR_CRL_NOT_YET_VALID:
    case X509_V_ERR_CRL_HAS_EXPIRED:
    case X509_V_ERR_ERROR_IN_CRL_LAST_UPDATE_FIELD:
    case X509_V_ERR_ERROR_IN_CRL_NEXT_UPDATE_FIELD:
    case X509_V_ERR_KEYUSAGE_NO_CRL_SIGN:
    case X509_V_ERR_UNHANDLED_CRITICAL_CRL_EXTENSION:
    case X509_V_ERR_DIFFERENT_CRL_SCOPE:
    case X509_V_ERR_CRL_PATH_VALIDATION_ERROR:
      return true;
    default:
      return false;
  }
}

// An anchor has no list of its own: whoever trusts it by name does not ask the one above it.
int judge_step(int ok, X509_STORE_CTX* context) {
  const int code = X509_STORE_CTX_get_error(context);
  const int depth = X509_STORE_CTX_get_error_depth(context);
  if (ok == 1 || (!is_of_lists(code) && (code != X509_V_ERR_CERT_REVOKED || depth == 0))) return ok;
  const STACK_OF(X509)* chain = X509_STORE_CTX_get0_chain(context);
  return chain && depth == sk_X509_num(chain) - 1 ? 1 : 0;
}

Reason reason_of(int code) {
  if (is_of_lists(code)) return Reason::keys_unavailable;
  switch (code) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
      return Reason::credential_expired;
    case X509_V_ERR_CERT_REVOKED:
      return Reason::credential_revoked;
    default:
      return Reason::credential_invalid;
  }
}

}  // namespace

struct ClientAuthorities::State {
  OwnedX509Store store;
  Stamp ca_stamp;
  Stamp crl_stamp;
  Sha256 content{};
  std::optional<WallTime> crl_next_update;
  std::uint64_t generation = 0;
};

ClientAuthorities::~ClientAuthorities() = default;

Result<std::shared_ptr<ClientAuthorities>> ClientAuthorities::load(const ClientTrust& trust) {
  std::shared_ptr<ClientAuthorities> made(new ClientAuthorities(trust));
  TRY(made->state_, made->read());
  return made;
}

std::shared_ptr<const ClientAuthorities::State> ClientAuthorities::state() const {
  const std::scoped_lock lock(mutex_);
  return state_;
}

std::uint64_t ClientAuthorities::generation() const { return state()->generation; }
std::optional<WallTime> ClientAuthorities::crl_next_update() const { return state()->crl_next_update; }

Result<std::shared_ptr<ClientAuthorities::State>> ClientAuthorities::read() const {
  const ErrorQueueGuard guard;
  auto made = std::make_shared<State>();
  made->store.reset(X509_STORE_new());
  SALLYPORT_CHECK(made->store != nullptr);
  TRY(made->ca_stamp, stamp_of(trust_.ca_file));
  TRY(std::string all, text_of_file(trust_.ca_file));
  {
    TRY(const OwnedX509Infos infos, infos_of(trust_.ca_file, all));
    int anchors = 0;
    for (int i = 0; i < sk_X509_INFO_num(infos.get()); ++i) {
      const X509_INFO* info = sk_X509_INFO_value(infos.get(), i);
      if (!info->x509) continue;
      if (X509_STORE_add_cert(made->store.get(), info->x509) != 1)
        return unreadable(trust_.ca_file, "a certificate in it cannot be used");
      ++anchors;
    }
    if (anchors == 0) return unreadable(trust_.ca_file, "no certificate in it");
  }
  if (!trust_.crl_file.empty()) {
    TRY(made->crl_stamp, stamp_of(trust_.crl_file));
    TRY(const std::string text, text_of_file(trust_.crl_file));
    std::vector<OwnedCrl> lists;
    const auto* at = reinterpret_cast<const unsigned char*>(text.data());
    if (OwnedCrl list(d2i_X509_CRL(nullptr, &at, static_cast<long>(text.size()))); list) {
      lists.push_back(std::move(list));
    } else {
      TRY(const OwnedX509Infos infos, infos_of(trust_.crl_file, text));
      for (int i = 0; i < sk_X509_INFO_num(infos.get()); ++i) {
        X509_INFO* info = sk_X509_INFO_value(infos.get(), i);
        if (info->crl) lists.emplace_back(std::exchange(info->crl, nullptr));
      }
    }
    if (lists.empty()) return unreadable(trust_.crl_file, "no revocation list in it");
    for (const OwnedCrl& list : lists) {
      const auto next = wall_time_of(X509_CRL_get0_nextUpdate(list.get()));
      if (!next) return unreadable(trust_.crl_file, "a revocation list without a nextUpdate");
      made->crl_next_update = std::min(made->crl_next_update.value_or(*next), *next);
      if (X509_STORE_add_crl(made->store.get(), list.get()) != 1)
        return unreadable(trust_.crl_file, "a revocation list in it cannot be used");
    }
    all += text;
  }
  made->content = sha256(bytes_of(all));
  return made;
}

Result<bool> ClientAuthorities::refresh() {
  const auto present = state();
  TRY(const Stamp ca, stamp_of(trust_.ca_file));
  Stamp crl;
  if (!trust_.crl_file.empty()) {
    TRY(crl, stamp_of(trust_.crl_file));
  }
  if (ca == present->ca_stamp && crl == present->crl_stamp) return false;
  TRY(auto fresh, read());
  const bool is_new = fresh->content != present->content;
  fresh->generation = present->generation + (is_new ? 1 : 0);
  const std::scoped_lock lock(mutex_);
  state_ = std::move(fresh);
  return is_new;
}

Result<Certificate> ClientAuthorities::judge(const State& state, std::span<const std::string> chain, WallTime now,
                                             WallTime& good_until) const {
  const ErrorQueueGuard guard;
  if (chain.empty() || chain.size() > most_certificates)
    return Error{Reason::credential_invalid, "a chain of " + std::to_string(chain.size()) + " certificates"};
  const OwnedX509 leaf = parse_x509(bytes_of(chain.front()));
  const OwnedX509s others(sk_X509_new_null());
  SALLYPORT_CHECK(others != nullptr);
  for (const std::string& der : chain.subspan(1)) {
    OwnedX509 other = parse_x509(bytes_of(der));
    if (!other) return Error{Reason::credential_invalid, "certificate: not one certificate in DER"};
    SALLYPORT_CHECK(sk_X509_push(others.get(), other.release()) > 0);
  }
  if (!leaf) return Error{Reason::credential_invalid, "certificate: not one certificate in DER"};
  TRY(Certificate facts, certificate_of(*leaf));
  const auto refuse = [&](Reason reason, std::string_view why) {
    return Error{reason, "certificate of " + facts.subject + ": " + std::string(why)};
  };

  const OwnedX509Context context(X509_STORE_CTX_new());
  SALLYPORT_CHECK(context && X509_STORE_CTX_init(context.get(), state.store.get(), leaf.get(), others.get()) == 1);
  X509_VERIFY_PARAM* parameters = X509_STORE_CTX_get0_param(context.get());
  unsigned long flags = X509_V_FLAG_PARTIAL_CHAIN | X509_V_FLAG_TRUSTED_FIRST;
  if (!trust_.crl_file.empty()) flags |= X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL;
  SALLYPORT_CHECK(X509_VERIFY_PARAM_set_flags(parameters, flags) == 1);
  SALLYPORT_CHECK(X509_STORE_CTX_set_purpose(context.get(), X509_PURPOSE_SSL_CLIENT) == 1);
  X509_VERIFY_PARAM_set_depth(parameters, static_cast<int>(trust_.depth));
  X509_VERIFY_PARAM_set_auth_level(parameters, security_level);
  X509_VERIFY_PARAM_set_time(parameters, static_cast<time_t>(to_unix_seconds(now)));
  X509_STORE_CTX_set_verify_cb(context.get(), judge_step);
  if (X509_verify_cert(context.get()) != 1) {
    const int code = X509_STORE_CTX_get_error(context.get());
    return refuse(reason_of(code), X509_verify_cert_error_string(code));
  }
  if (X509_check_ca(leaf.get()) == 1) return refuse(Reason::credential_invalid, "an authority is no client");
  if (trust_.purpose == ClientTrust::Purpose::client && (X509_get_extension_flags(leaf.get()) & EXFLAG_XKUSAGE) == 0)
    return refuse(Reason::credential_invalid, "no extended key usage says that it is for clients");
  good_until = facts.not_after;
  const STACK_OF(X509)* verified = X509_STORE_CTX_get0_chain(context.get());
  for (int i = 1; i < sk_X509_num(verified); ++i) {
    TRY(const WallTime until, wall_time_of(X509_get0_notAfter(sk_X509_value(verified, i))));
    good_until = std::min(good_until, until);
  }
  return facts;
}

Result<std::shared_ptr<const ClientCertificate>> ClientAuthorities::verify(std::vector<std::string> chain,
                                                                           WallTime now) const {
  const auto present = state();
  std::shared_ptr<ClientCertificate> made(new ClientCertificate());
  TRY(made->facts_, judge(*present, chain, now, made->good_until_));
  made->chain_ = std::move(chain);
  made->authorities_ = shared_from_this();
  made->generation_ = present->generation;
  return std::shared_ptr<const ClientCertificate>(std::move(made));
}

Result<void> ClientCertificate::verify_again(WallTime now) const {
  const auto present = authorities_->state();
  const bool lists_are_current = !present->crl_next_update || now < *present->crl_next_update;
  if (present->generation == generation_ && now < good_until_ && lists_are_current) return {};
  return verify_by(*authorities_, now);
}

Result<void> ClientCertificate::verify_by(const ClientAuthorities& others, WallTime now) const {
  const auto present = others.state();
  WallTime good_until{};
  TRY_OK(others.judge(*present, chain_, now, good_until));
  return {};
}

}  // namespace sallyport::crypto
