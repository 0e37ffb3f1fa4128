// What decoders must not do with data that were written to harm them, and the good neighbour of each.

#include "sallyport/auth/session/data.h"

#include <doctest/doctest.h>
#include <zlib.h>

#include "sallyport/auth/session/authjs.h"
#include "sallyport/auth/session/django.h"
#include "sallyport/auth/session/flask.h"
#include "sallyport/auth/session/laravel.h"
#include "sallyport/auth/session/mapping.h"
#include "sallyport/auth/session/msgpack.h"
#include "sallyport/auth/session/php.h"
#include "sallyport/auth/session/rails.h"
#include "sallyport/auth/session/spring.h"
#include "sallyport/auth/session/text.h"
#include "sallyport/base/encoding.h"
#include "sallyport/crypto/cipher.h"
#include "sallyport/crypto/digest.h"

namespace sallyport::auth::session {
namespace {

using namespace std::literals;

std::string at(const Result<SessionData>& data, std::string_view path) {
  if (!data) return "refused: " + data.error().detail;
  const auto found = DataPath::parse(path).value().find(*data);
  if (!found) return "error: " + found.error().detail;
  return *found ? json::dump(**found) : "nothing";
}
std::string complaint(const Result<SessionData>& data) {
  if (data) return "accepted";
  CHECK(data.error().reason == Reason::credential_invalid);
  return data.error().detail;
}
Result<SessionData> php(std::string_view text) { return parse_php_session(text, PhpSerializer::php_serialize); }
std::string repeated(std::string_view piece, std::size_t times) {
  std::string text;
  for (std::size_t i = 0; i < times; ++i) text.append(piece);
  return text;
}

TEST_CASE("session data: places") {
  SessionData data;
  data.values = json::parse(R"({"user":{"id":7,"a.b":1,"m":{"~/":2}},"list":[1,[2]],"none":null,"":3})").value();
  const Result<SessionData> it(data);
  CHECK(at(it, "user.id") == "7");
  CHECK(at(it, "/user/id") == "7");
  CHECK(at(it, "/user/a.b") == "1");
  CHECK(at(it, "user.a.b") == "nothing");
  CHECK(at(it, "/user/m/~0~1") == "2");
  CHECK(at(it, "list.0") == "1");
  CHECK(at(it, "list.1.0") == "2");
  CHECK(at(it, "list.2") == "nothing");
  CHECK(at(it, "list.00") == "nothing");
  CHECK(at(it, "list.-1") == "nothing");
  CHECK(at(it, "none") == "nothing");
  CHECK(at(it, "none.x") == "nothing");
  CHECK(at(it, "user.id.x") == "nothing");
  CHECK(at(it, "/") == "3");
  for (const char* bad : {"", ".", "a.", ".a", "a..b", "/~", "/~2", "/a~"}) {
    CAPTURE(bad);
    CHECK(!DataPath::parse(bad).ok());
  }
  CHECK(!DataPath::parse("a" + repeated(".a", 40)).ok());
}

TEST_CASE("session data: PHP objects are stepped over, wherever they stand") {
  const std::string object = R"(O:4:"User":2:{s:2:"id";i:7;s:4:"more";O:1:"X":0:{}})";
  const auto data =
      php("a:3:{s:4:\"user\";" + object + "s:2:\"id\";i:7;s:4:\"list\";a:2:{i:0;i:1;i:1;" + object + "}}");
  CHECK(at(data, "id") == "7");
  CHECK(at(data, "user").find("object of the PHP class User") != std::string::npos);
  CHECK(at(data, "user.id").find("$_SESSION") != std::string::npos);
  CHECK(at(data, "list.0") == "1");
  CHECK(at(data, "list.1").find("PHP class User") != std::string::npos);
  CHECK(data->unreadable.size() == 2);

  for (const char* other :
       {R"(C:4:"Bag1":5:{ab}:;})", R"(E:11:"Suit:Hearts";)", "R:2;", "r:2;", "d:NAN;", "d:INF;", "s:1:\"\xff\";"}) {
    CAPTURE(other);
    const auto held = php("a:2:{s:1:\"a\";" + std::string(other) + "s:2:\"id\";i:7;}");
    CHECK(at(held, "id") == "7");
    CHECK(at(held, "a").starts_with("error: "));
  }
}

TEST_CASE("session data: PHP that PHP would not have written is refused") {
  CHECK(at(php(R"(a:1:{s:2:"id";s:4:"a";b";})"), "id") == R"("a\";b")");
  CHECK(at(php("a:0:{}"), "id") == "nothing");
  CHECK(at(php("a:1:{i:5;i:7;}"), "5") == "7");
  for (const char* bad : {"",
                          "a",
                          "a:",
                          "a:1",
                          "a:1:{",
                          "a:1:{}",
                          "a:0:{}x",
                          "a:0:{}a:0:{}",
                          "a:-1:{}",
                          "a:+0:{}",
                          "a:0x0:{}",
                          "a:99999999999:{}",
                          "i:7;",
                          "s:1:\"a\";",
                          "N;",
                          "a:1:{s:2:\"id\";i:7}",
                          "a:1:{s:2:\"id\";i:;}",
                          "a:1:{s:2:\"id\";i:7.5;}",
                          "a:1:{s:2:\"id\";i:99999999999999999999;}",
                          "a:1:{s:2:\"id\";b:2;}",
                          "a:1:{s:2:\"id\";b:-1;}",
                          "a:1:{s:2:\"id\";d:;}",
                          "a:1:{s:3:\"id\";i:7;}",
                          "a:1:{s:2:'id';i:7;}",
                          "a:1:{s:99999999999:\"id\";i:7;}",
                          "a:1:{s:4294967295:\"id\";i:7;}",
                          "a:1:{b:1;i:7;}",
                          "a:1:{N;i:7;}",
                          "a:1:{s:2:\"id\";S:1:\"\\61\";}",
                          "a:1:{s:2:\"id\";x:1;}",
                          "a:1:{s:2:\"id\";O:1:\"A\":1:{}}",
                          "a:1:{s:2:\"id\";C:1:\"A\":9:{x}}",
                          "a:1:{s:2:\"id\";R:x;}",
                          "a:2:{s:2:\"id\";i:7;s:2:\"id\";i:8;}",
                          "a:2:{i:1;i:7;s:1:\"1\";i:8;}"}) {
    CAPTURE(bad);
    CHECK(complaint(php(bad)) != "accepted");
  }
  CHECK(complaint(parse_php_session("id|i:7;id|i:8;", PhpSerializer::php)).find("twice") != std::string::npos);
  CHECK(complaint(parse_php_session("|i:7;", PhpSerializer::php)) != "accepted");
  CHECK(complaint(parse_php_session("id|", PhpSerializer::php)) != "accepted");
  CHECK(complaint(parse_php_session("id", PhpSerializer::php)) != "accepted");
  CHECK(complaint(parse_php_session("\x82idi:7;", PhpSerializer::php_binary)) != "accepted");
  CHECK(complaint(parse_php_session("\x02id", PhpSerializer::php_binary)) != "accepted");
  CHECK(complaint(parse_php_session("\0\0\0\2"sv, PhpSerializer::php)).find("igbinary") != std::string::npos);
  // A text that looks like the end of a session and the beginning of another user's.
  const auto posed = parse_php_session("name|s:21:\"x\";user_id|i:1;junk|s\";user_id|i:42;", PhpSerializer::php);
  CHECK(at(posed, "user_id") == "42");
}

TEST_CASE("session data: nesting and counts are bounded") {
  const auto nested = [](std::size_t depth) {
    return "a:1:{s:1:\"a\";" + repeated("a:1:{i:0;", depth) + "i:1;" + repeated("}", depth) + "}";
  };
  CHECK(complaint(php(nested(20))) == "accepted");
  CHECK(complaint(php(nested(40))).find("deeper") != std::string::npos);
  CHECK(complaint(php(nested(50'000))).find("deeper") != std::string::npos);
  const std::string objects = repeated("O:1:\"A\":1:{i:0;", 50'000);
  CHECK(complaint(php("a:1:{s:1:\"a\";" + objects)).find("deeper") != std::string::npos);
  const auto many = [](std::size_t count) {
    std::string text = "a:1:{s:1:\"a\";a:" + std::to_string(count) + ":{";
    for (std::size_t i = 0; i < count; ++i) text += "i:" + std::to_string(i) + ";N;";
    return text + "}}";
  };
  CHECK(complaint(php(many(1000))) == "accepted");
  CHECK(complaint(php(many(max_values))).find("more values") != std::string::npos);
  CHECK(complaint(php("a:1:{s:1:\"a\";a:" + std::to_string(max_unreadable + 1) + ":{" +
                      [] {
                        std::string text;
                        for (std::size_t i = 0; i <= max_unreadable; ++i) text += "i:" + std::to_string(i) + ";R:1;";
                        return text;
                      }() +
                      "}}"))
            .find("more objects") != std::string::npos);
  CHECK(complaint(php(std::string(max_stored_size + 1, 'x'))).find("longer") != std::string::npos);

  CHECK(complaint(parse_json_session("{\"a\":" + repeated("[", 20) + repeated("]", 20) + "}", "")) == "accepted");
  CHECK(complaint(parse_json_session("{\"a\":" + repeated("[", 40) + repeated("]", 40) + "}", "")) != "accepted");
  CHECK(complaint(parse_json_session("{\"a\":[0" + repeated(",0", max_values) + "]}", "")).find("more values") !=
        std::string::npos);
  CHECK(complaint(parse_json_session("{\"a\":1,\"a\":2}", "")) != "accepted");
  CHECK(complaint(parse_json_session("[]", "")).find("no object") != std::string::npos);

  CHECK(complaint(parse_msgpack_session("\x81\xa1\x61" + repeated("\x91", 20) + "\x01")) == "accepted");
  CHECK(complaint(parse_msgpack_session("\x81\xa1\x61" + repeated("\x91", 50'000))).find("deeper") !=
        std::string::npos);
  CHECK(complaint(parse_msgpack_session("\x81\xa1\x61\xdd\xff\xff\xff\xff"s + repeated("\xc0", 30'000)))
            .find("more values") != std::string::npos);
}

TEST_CASE("session data: MessagePack") {
  CHECK(at(parse_msgpack_session("\x81\xa2id\x07"), "id") == "7");
  CHECK(at(parse_msgpack_session("\x81\xa2id\xff"), "id") == "-1");
  CHECK(at(parse_msgpack_session("\x81\xa2id\xd0\x80"), "id") == "-128");
  CHECK(at(parse_msgpack_session("\x81\xa2id\xd1\xff\x7f"), "id") == "-129");
  CHECK(at(parse_msgpack_session("\x81\xa2id\xd3\xff\xff\xff\xff\xff\xff\xff\xfe"), "id") == "-2");
  CHECK(at(parse_msgpack_session("\x81\xa2id\xcf\x7f\xff\xff\xff\xff\xff\xff\xff"), "id") == "9223372036854775807");
  CHECK(at(parse_msgpack_session("\x81\xa2id\xcf\x80\0\0\0\0\0\0\0"sv), "id").find("63 bits") != std::string::npos);
  CHECK(at(parse_msgpack_session("\x81\xa2id\xca\x3f\xc0\0\0"sv), "id") == "1.5");
  CHECK(at(parse_msgpack_session("\x81\xa2id\xd9\x02hi"), "id") == "\"hi\"");
  CHECK(at(parse_msgpack_session("\x81\xa2id\xda\0\x02hi"sv), "id") == "\"hi\"");
  CHECK(at(parse_msgpack_session("\x81\x05\xc3"), "5") == "true");
  for (const std::string_view left :
       {"\xc4\x01x"sv, "\xd6\xff\0\0\0\0"sv, "\xc7\x02\x05xy"sv, "\xa1\xff"sv, "\xca\x7f\x80\0\0"sv}) {
    const auto data = parse_msgpack_session(
        "\x82\xa1"
        "a" +
        std::string(left) + "\xa2id\x07");
    CHECK(at(data, "id") == "7");
    CHECK(at(data, "a").starts_with("error: "));
  }
  for (const std::string_view bad :
       {""sv, "\x07"sv, "\x81"sv, "\x81\xa2i"sv, "\x81\xa2id"sv, "\x80\x80"sv, "\xc1"sv, "\x81\xa2id\xc1"sv,
        "\x82\xa2id\x07\xa2id\x08"sv, "\x81\xc0\x07"sv, "\x81\x91\x01\x07"sv, "\x81\xa2id\xdb\xff\xff\xff\xff"sv,
        "\x81\xa2id\xc6\xff\xff\xff\xff"sv, "\xdf\xff\xff\xff\xff"sv, "\x81\xc4\x01x\x07"sv}) {
    CHECK(complaint(parse_msgpack_session(bad)) != "accepted");
  }
}

std::string deflated(const std::string& text) {
  std::string out(compressBound(text.size()), '\0');
  uLongf size = out.size();
  REQUIRE(compress2(reinterpret_cast<Bytef*>(out.data()), &size, reinterpret_cast<const Bytef*>(text.data()),
                    text.size(), 9) == Z_OK);
  out.resize(size);
  return out;
}

TEST_CASE("session data: what inflates is bounded and whole") {
  const std::string text(10'000, 'a');
  const std::string packed = deflated(text);
  CHECK(inflate(packed, 10'000).value() == text);
  CHECK(!inflate(packed, 9'999).ok());
  CHECK(!inflate(packed + "x", 10'000).ok());
  CHECK(!inflate(packed.substr(0, packed.size() - 1), 10'000).ok());
  CHECK(!inflate("", 10).ok());
  CHECK(!inflate("not zlib", 10).ok());
  CHECK(inflate(deflated(""), 10).value().empty());
  const std::string bomb = deflated(std::string(64 * 1024 * 1024, '\0'));
  CHECK(bomb.size() < 100'000);
  CHECK(!inflate(bomb, max_inflated_size).ok());
}

TEST_CASE("session data: Flask's tags") {
  Secret key = make_flask_key(Secret("dev"));
  std::vector<Secret> keys;
  keys.push_back(key.clone());
  const auto read = [&](std::string_view payload) {
    const std::string signed_text =
        base64url_encode(bytes_of(payload)) + "." + base64url_encode(bytes_of("\x6a\0\0\0"sv));
    return verify_flask_cookie(
        signed_text + "." + base64url_encode(crypto::hmac_sha1(key.bytes(), bytes_of(signed_text))), keys);
  };
  const auto data = read(R"({"t":{" t":[1,{" t":["x"]}]},"b":{" b":"AP8="},"u":{" u":"abc"},"m":{" m":"<b>"},
                            "e":{" di":{" t__":5}},"plain":{" t":1,"x":2},"id":7})");
  CHECK(at(data, "t") == R"([1,["x"]])");
  CHECK(at(data, "b").starts_with("error: "));
  CHECK(at(data, "u") == R"("abc")");
  CHECK(at(data, "m") == R"("<b>")");
  CHECK(at(data, "/e/ t") == "5");
  CHECK(at(data, "/plain/x") == "2");
  CHECK(at(data, "id") == "7");
  CHECK(complaint(read(R"({"e":{" di":5}})")) != "accepted");
  CHECK(complaint(read(R"({" t":[1]})")) != "accepted");
  CHECK(complaint(read("\x80\x04}.")).find("pickle") != std::string::npos);
}

TEST_CASE("session data: a Rails cookie is for its own name and time") {
  const std::vector<Secret> keys = make_rails_keys(Secret("base"));
  const auto read = [&](std::string_view plain) {
    const std::string nonce(12, 'n');
    const auto sealed = crypto::seal_aes_gcm(keys[0].bytes(), bytes_of(nonce), {}, bytes_of(plain));
    return open_rails_cookie(base64_encode(bytes_of(sealed.text)) + "--" + base64_encode(bytes_of(nonce)) + "--" +
                                 base64_encode(bytes_of(sealed.tag)),
                             "_app", keys);
  };
  const std::string message = base64_encode(bytes_of(R"({"user_id":7,"session_id":"x"})"));
  const auto enveloped = [&](const std::string& rest) {
    return read(R"({"_rails":{"message":")" + message + "\"" + rest + "}}");
  };
  CHECK(at(enveloped(R"(,"exp":null,"pur":"cookie._app")"), "user_id") == "7");
  CHECK(enveloped(R"(,"exp":"2027-01-15T08:00:00.000Z","pur":"cookie._app")")->expires_at ==
        from_unix_seconds(1'800'000'000));
  CHECK(at(read(R"({"_rails":{"data":{"user_id":8},"pur":"cookie._app"}})"), "user_id") == "8");
  CHECK(complaint(enveloped(R"(,"exp":null,"pur":"cookie._other")")).find("another cookie") != std::string::npos);
  CHECK(complaint(enveloped(R"(,"exp":null,"pur":null)")).find("another cookie") != std::string::npos);
  CHECK(complaint(enveloped("")).find("another cookie") != std::string::npos);
  CHECK(complaint(enveloped(R"(,"exp":"soon","pur":"cookie._app")")).find("no time") != std::string::npos);
  CHECK(complaint(enveloped(R"(,"exp":5,"pur":"cookie._app")")).find("no time") != std::string::npos);
  CHECK(complaint(read(R"({"_rails":{"pur":"cookie._app"}})")) != "accepted");
  CHECK(complaint(read(R"({"_rails":5})")) != "accepted");
  CHECK(complaint(read("\x04\x08{\x06I\"")).find("Marshal") != std::string::npos);
  CHECK(complaint(read("\x04\x08{\x06I\"")).find("cookies_serializer") != std::string::npos);
  CHECK(at(read(R"({"user_id":9})"), "user_id") == "9");

  const std::string public_id = "0123456789abcdef0123456789abcdef";
  CHECK(parse_rails_session_id(public_id).value() == "2::" + hex_encode(crypto::sha256(bytes_of(public_id))));
  CHECK(!parse_rails_session_id("2::" + public_id).ok());
  CHECK(at(parse_rails_session(R"({"user_id":9})"), "user_id") == "9");
  std::string folded = base64_encode(bytes_of(R"({"user_id":9})"));
  folded.insert(8, "\n");
  CHECK(at(parse_rails_session(folded + "\n"), "user_id") == "9");
  CHECK(complaint(parse_rails_session(base64_encode(bytes_of("\x04\x08{")))).find("Marshal") != std::string::npos);
}

TEST_CASE("session data: Laravel's wrappings") {
  std::vector<Secret> keys;
  keys.push_back(Secret(std::string(32, 'k')));
  const std::string plain = R"(a:1:{s:2:"id";i:7;})";
  const auto text_of_text = [](const std::string& text) {
    return "s:" + std::to_string(text.size()) + ":\"" + text + "\";";
  };
  const auto encrypted = [&](const std::string& text) {
    const std::string nonce(12, 'n');
    const auto sealed = crypto::seal_aes_gcm(keys[0].bytes(), bytes_of(nonce), {}, bytes_of(text));
    const json::Value payload = json::Object{{"iv", base64_encode(bytes_of(nonce))},
                                             {"value", base64_encode(bytes_of(sealed.text))},
                                             {"mac", ""},
                                             {"tag", base64_encode(bytes_of(sealed.tag))}};
    return base64_encode(bytes_of(json::dump(payload)));
  };
  const auto read = [&](const std::string& text) { return at(parse_laravel_session(text, keys), "id"); };
  CHECK(read(plain) == "7");
  CHECK(read(R"({"id":7})") == "7");
  CHECK(read(base64_encode(bytes_of(plain))) == "7");
  CHECK(read(text_of_text(plain)) == "7");
  CHECK(read(encrypted(text_of_text(plain))) == "7");
  CHECK(read(text_of_text(encrypted(text_of_text(plain)))) == "7");
  std::string forged = encrypted(text_of_text(plain));
  forged[40] = forged[40] == 'A' ? 'B' : 'A';
  CHECK(read(forged).starts_with("refused"));
  std::string deep = plain;
  for (int i = 0; i < 8; ++i) deep = text_of_text(deep);
  CHECK(read(deep).starts_with("refused"));
  CHECK(read("").starts_with("refused"));
  CHECK(read("O:1:\"A\":0:{}").starts_with("refused"));
  CHECK(read(base64_encode(bytes_of("O:1:\"A\":0:{}"))).starts_with("refused"));
}

TEST_CASE("session data: Spring's fields") {
  using Fields = std::vector<std::pair<std::string, std::string>>;
  const Fields times = {{"lastAccessedTime", "1800000000000"}, {"maxInactiveInterval", "1800"}};
  const auto read = [&](Fields more) {
    more.insert(more.end(), times.begin(), times.end());
    return parse_spring_session(more);
  };
  const auto data =
      read({{"sessionAttr:SPRING_SECURITY_CONTEXT", R"({"authentication":{"principal":{"username":"alice"}}})"},
            {"sessionAttr:gone", ""},
            {"sessionAttr:object", "\xac\xed\0\5sr"s},
            {"sessionAttr:odd", "not json"},
            {"creationTime", "1"}});
  CHECK(at(data, "SPRING_SECURITY_CONTEXT.authentication.principal.username") == "\"alice\"");
  CHECK(at(data, "gone") == "nothing");
  CHECK(at(data, "object").find("serialized Java object") != std::string::npos);
  CHECK(at(data, "odd").starts_with("error: "));
  CHECK(data->expires_at == from_unix_seconds(1'800'001'800));
  CHECK(at(read({{"PRINCIPAL_NAME", "alice"}}), "principal_name") == "\"alice\"");
  CHECK(complaint(read({{"PRINCIPAL_NAME", "alice"}, {"sessionAttr:principal_name", "\"bob\""}})).find("twice") !=
        std::string::npos);
  CHECK(!parse_spring_session({{"last_access_time", "5"}, {"max_inactive_interval", "-1"}})->expires_at);
  for (const Fields& bad : {Fields{}, Fields{times[0]}, Fields{times[1]}, Fields{times[0], times[1], times[1]},
                            Fields{times[0], {"maxInactiveInterval", "x"}}, Fields{{"lastAccessedTime", ""}, times[1]},
                            Fields{{"lastAccessedTime", "-5"}, times[1]},
                            Fields{times[0], {"maxInactiveInterval", "9223372036854775807"}}}) {
    CHECK(complaint(parse_spring_session(bad)) != "accepted");
  }
  CHECK(parse_spring_session_id("MDEyMzQ1NjctODlhYi1jZGVmLTAxMjMtNDU2Nzg5YWJjZGVm").value() ==
        "01234567-89ab-cdef-0123-456789abcdef");
  CHECK(!parse_spring_session_id("01234567-89ab-cdef-0123-456789abcdef").ok());
  CHECK(!parse_spring_session_id(base64_encode(bytes_of("../../../../etc/passwd"))).ok());
}

TEST_CASE("session data: rows of Auth.js, ids of the others") {
  CHECK(at(parse_authjs_session({{"userId", "7"}}), "userId") == "\"7\"");
  CHECK(complaint(parse_authjs_session({})) != "accepted");
  CHECK(complaint(parse_authjs_session({{"userId", "7"}, {"userId", "8"}})) != "accepted");
  CHECK(complaint(parse_authjs_session({{"userId", "\xff"}})) != "accepted");
  CHECK(parse_authjs_session_token("0f3b0a52-6f4e-4a3d-9a53-0c1f2d3e4f50").ok());
  CHECK(!parse_authjs_session_token("' or 1=1 --0123456789").ok());
  CHECK(parse_php_session_id("1n3f4v4anidero9he8rpasgjv8").ok());
  CHECK(!parse_php_session_id("../../../../../../etc/passwd").ok());
  CHECK(!parse_php_session_id("1n3f4v4anidero9he8rpasgjv8*").ok());
  CHECK(!parse_php_session_id("short").ok());
  CHECK(!parse_php_session_id(std::string(257, 'a')).ok());
  CHECK(!parse_django_session_id("KI8UUJK2XBFOWJV47M82KRIMIJSHGCL6").ok());
  CHECK(!parse_django_session_id("ki8uujk2xbfowjv47m82krimijshgcl").ok());
  CHECK(!verify_flask_session_id("../../../../../etc/passwd", {}).ok());
  CHECK(verify_flask_session_id("bb055de3-eb8e-49b5-8c68-1c471d194d8a", {}).ok());
}

TEST_CASE("session data: times") {
  CHECK(parse_time("2027-01-15T08:00:00.000Z") == from_unix_seconds(1'800'000'000));
  CHECK(parse_time("2027-01-15T08:00:00Z") == from_unix_seconds(1'800'000'000));
  CHECK(parse_time("2027-01-15 08:00:00") == from_unix_seconds(1'800'000'000));
  CHECK(parse_time("2027-01-15T10:00:00+02:00") == from_unix_seconds(1'800'000'000));
  CHECK(parse_time("2027-01-15 06:30:00-0130") == from_unix_seconds(1'800'000'000));
  CHECK(parse_time("2027-01-15 10:00:00+02") == from_unix_seconds(1'800'000'000));
  CHECK(parse_time("2027-01-15T08:00:00.898334") == from_unix_seconds(1'800'000'000) + std::chrono::milliseconds(898));
  for (const char* bad :
       {"", "2027", "2027-01-15", "2027-13-15T08:00:00Z", "2027-02-30T08:00:00Z", "2027-01-15T24:00:00Z",
        "2027-01-15T08:60:00Z", "2027-01-15T08:00:00.Z", "2027-01-15T08:00:00Zx", "2027-01-15T08:00:00+",
        "2027-01-15T08:00:00+99:00", "-027-01-15T08:00:00Z"}) {
    CAPTURE(bad);
    CHECK(!parse_time(bad));
  }
}

TEST_CASE("session data: escapes and UTF-8") {
  CHECK(percent_decode("s%3Aa%2fb+").value() == "s:a/b+");
  for (const char* bad : {"%", "%4", "a%4", "%zz", "%%41"}) CHECK(!percent_decode(bad).ok());
  CHECK(is_utf8("Zoë ✓ 😀"));
  for (const std::string_view bad : {"\x80"sv, "\xc3"sv, "\xc0\xaf"sv, "\xe0\x80\xaf"sv, "\xed\xa0\x80"sv,
                                     "\xf4\x90\x80\x80"sv, "\xf5\x80\x80\x80"sv, "\xe2\x82"sv, "\xff"sv}) {
    CHECK(!is_utf8(bad));
  }
}

TEST_CASE("session data: what is never loaded is called by its name") {
  CHECK(foreign_serialization("\x80\x04\x95") == "a Python pickle");
  CHECK(foreign_serialization("(dp0\n.") == "a Python pickle");
  CHECK(foreign_serialization("\x04\x08{") == "a Ruby Marshal dump");
  CHECK(foreign_serialization("\xac\xed\0\5sr"sv) == "a serialized Java object");
  CHECK(foreign_serialization("{}").empty());
  CHECK(foreign_serialization("").empty());
  CHECK(foreign_serialization("\x80").empty());  // an empty map of MessagePack
}

TEST_CASE("session data: the facts beside the subject") {
  SessionData data;
  data.values = json::parse(R"({"id":7,"org":"acme","level":2,"roles":["a","b"],"role":"admin","scope":"x  y",
                                "amr":["pwd","otp"],"in":1800000000,"in_ms":1800000000000,"in_text":"2027-01-15T08:00:00Z",
                                "real":1800000000.25,"bad":{"a":1}})")
                    .value();
  const auto place = [](const char* text) { return DataPath::parse(text).value(); };
  Mapping mapping;
  mapping.subject = {place("nobody"), place("id")};
  mapping.tenant = place("org");
  mapping.acr = place("level");
  mapping.roles = place("roles");
  mapping.scopes = place("scope");
  mapping.amr = place("amr");
  mapping.authenticated_at = place("in");
  mapping.claims = {"org", "absent"};
  const auto proven = read_identity(data, mapping);
  REQUIRE(proven.ok());
  CHECK(proven->subject == "7");
  CHECK(proven->tenant == "acme");
  CHECK(proven->acr == "2");
  CHECK(proven->roles == std::vector<std::string>{"a", "b"});
  CHECK(proven->scopes == std::vector<std::string>{"x", "y"});
  CHECK(proven->amr == std::vector<std::string>{"pwd", "otp"});
  CHECK(proven->authenticated_at == from_unix_seconds(1'800'000'000));
  CHECK(json::dump(proven->claims) == R"({"org":"acme"})");
  mapping.roles = place("role");
  CHECK(read_identity(data, mapping)->roles == std::vector<std::string>{"admin"});
  for (const char* time : {"in_ms", "in_text"}) {
    mapping.authenticated_at = place(time);
    CHECK(read_identity(data, mapping)->authenticated_at == from_unix_seconds(1'800'000'000));
  }
  mapping.authenticated_at = place("real");
  CHECK(read_identity(data, mapping)->authenticated_at ==
        from_unix_seconds(1'800'000'000) + std::chrono::milliseconds(250));
  for (auto member : {&Mapping::tenant, &Mapping::roles, &Mapping::scopes, &Mapping::amr, &Mapping::acr,
                      &Mapping::authenticated_at}) {
    Mapping wrong = mapping;
    wrong.*member = place("bad");
    CHECK(!read_identity(data, wrong).ok());
    wrong.*member = place("absent");
    CHECK(read_identity(data, wrong).ok());
  }
  // What is not read in a list is not left out of it.
  const auto holed = php("a:2:{s:2:\"id\";i:7;s:5:\"roles\";a:2:{i:0;s:1:\"a\";i:1;R:1;}}");
  Mapping roles;
  roles.subject = {place("id")};
  roles.roles = place("roles");
  CHECK(!read_identity(*holed, roles).ok());
}

}  // namespace
}  // namespace sallyport::auth::session
