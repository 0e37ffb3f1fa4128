#include <doctest/doctest.h>

#include "sallyport/config/node.h"

using namespace sallyport;
using namespace sallyport::config;

namespace {

std::string problems_of(std::string_view text) {
  Problems problems;
  parse_yaml(text, "a.yaml", problems);
  return problems.text();
}

}  // namespace

TEST_CASE("a tree of nodes, each with its place") {
  Problems problems;
  const auto root =
      parse_yaml("a: 1\nb:\n  - x\n  - 'y z'\nc: {d: \"\\u00e9\", e: }\nf: |\n  two\n  lines\n", "a.yaml", problems);
  REQUIRE(problems.text() == "");
  REQUIRE(root);
  REQUIRE(root->kind == Node::Kind::map);
  CHECK(root->find("a")->text == "1");
  CHECK(!root->find("a")->quoted);
  CHECK(root->find("a")->mark.line == 1);
  CHECK(root->find("a")->mark.column == 4);
  CHECK(*root->find("a")->mark.file == "a.yaml");
  REQUIRE(root->find("b")->items.size() == 2);
  CHECK(root->find("b")->items[1].text == "y z");
  CHECK(root->find("b")->items[1].quoted);
  CHECK(root->find("b")->items[1].mark.line == 4);
  CHECK(root->find("c")->find("d")->text == "\xc3\xa9");
  CHECK(root->find("c")->find("e")->is_nothing());
  CHECK(root->find("f")->text == "two\nlines\n");
  CHECK(root->find("f")->quoted);
  CHECK(root->entries[2].mark.line == 5);
  CHECK(root->find("g") == nullptr);
  CHECK(root->find("a")->find("b") == nullptr);
}

TEST_CASE("what has no place in a configuration is refused, and reading goes on") {
  CHECK(problems_of("a: 1\nb: {c: 2, c: 3}\na: 4\n") ==
        "a.yaml:2: b.c: given twice, first on line 2. Keep one of them\n"
        "a.yaml:3: a: given twice, first on line 1. Keep one of them\n");
  CHECK(problems_of("a: &x 1\nb: *x\n") ==
        "a.yaml:1: a: anchors (&x) are not accepted. Remove the anchor\n"
        "a.yaml:2: b: aliases (*x) are not accepted. Write the value out, or quote text that starts with *\n");
  CHECK(problems_of("a: !!int 1\nb: !x {}\nc: ! [1]\n") ==
        "a.yaml:1: a: tags (tag:yaml.org,2002:int) are not accepted. Remove the tag: the schema knows what each value "
        "is\n"
        "a.yaml:2: b: tags (!x) are not accepted. Remove the tag: the schema knows what each value is\n"
        "a.yaml:3: c: tags (!) are not accepted. Remove the tag: the schema knows what each value is\n");
  CHECK(problems_of("[a, b]: 1\n") == "a.yaml:1: a plain key expected, found a list\n");
  CHECK(problems_of("b: &y\n  ? *y\n  : 1\n") ==
        "a.yaml:1: b: anchors (&y) are not accepted. Remove the anchor\n"
        "a.yaml:2: b: aliases (*y) are not accepted. Write the value out, or quote text that starts with *\n");
}

TEST_CASE("aliases multiply nothing") {
  std::string text = "a0: &a0 [lol]\n";
  for (int level = 1; level < 30; ++level) {
    const std::string last = "*a" + std::to_string(level - 1);
    text += "a" + std::to_string(level) + ": &a" + std::to_string(level) + " [" + last;
    for (int copy = 0; copy < 9; ++copy) text += ", " + last;
    text += "]\n";
  }
  Problems problems;
  CHECK(parse_yaml(text, "a.yaml", problems));
  CHECK(problems.size() == 30 + 290);
}

TEST_CASE("one document, of bounded size and depth") {
  CHECK(problems_of("a: 1\n---\nb: 2\n") ==
        "a.yaml:2: one document expected, found a second one. Remove the --- line and what follows it\n");
  CHECK(problems_of("---\na: 1\n...\n") == "");
  CHECK(problems_of("") == "a.yaml:1: a map of settings expected, found an empty file\n");
  CHECK(problems_of("# nothing\n") == "a.yaml:1: a map of settings expected, found an empty file\n");
  CHECK(problems_of(std::string(32, '[') + std::string(32, ']')) == "");
  CHECK(
      problems_of(std::string(33, '[') + std::string(33, ']')).ends_with(": at most 32 levels expected, found more\n"));
  CHECK(problems_of(std::string(500'000, '[')).ends_with(": at most 32 levels expected, found more\n"));
  CHECK(problems_of(std::string((1 << 20) + 1, ' ')) == "a.yaml: at most 1048576 bytes expected, found 1048577\n");
  std::string many = "[";
  for (int item = 0; item < 100'000; ++item) many += "a,";
  CHECK(problems_of(many + "]").ends_with(": at most 100000 values expected, found more\n"));
}

TEST_CASE("text that is not well-formed is refused at its place, with a cure where one is known") {
  CHECK(problems_of("a: 1\n\tb: 2\n") ==
        "a.yaml:2: not well-formed YAML: while scanning a plain scalar, found a tab character that violates "
        "indentation. Indent "
        "with spaces, not with tabs\n");
  CHECK(problems_of("a: [::1]:8443\n").ends_with("Quote an IPv6 address: \"[::1]:8443\"\n"));
  CHECK(problems_of("a: *\n").ends_with("Quote text that starts with a special character\n"));
  CHECK(problems_of("a: 1\nb: \"x\n").starts_with("a.yaml:3: not well-formed YAML: while scanning a quoted scalar"));
  CHECK(problems_of("a: 1\nb: \xff\n") == "a.yaml:2: printable UTF-8 text expected, found other bytes\n");
  CHECK(problems_of(std::string("a: \0b", 5)) == "a.yaml:1: printable UTF-8 text expected, found other bytes\n");
  CHECK(problems_of("a: b: c\n").starts_with("a.yaml:1: not well-formed YAML: "));
}

TEST_CASE("what a message quotes stays on its line") {
  CHECK(quoted("a\"b\\\n\x01") == "\"a\\\"b\\\\\\n\\x01\"");
  CHECK(quoted(std::string(100, 'x')) == "\"" + std::string(60, 'x') + "…\"");
  CHECK(quoted(std::string(59, 'x') + "\xc3\xa9") == "\"" + std::string(59, 'x') + "…\"");
  CHECK(join_path("a", "b\nc") == "a.\"b\\nc\"");
  CHECK(join_path(join_path("", "a"), std::size_t{3}) == "a[3]");
}

TEST_CASE("the nearest name") {
  CHECK(nearest("leway", {"leeway", "level"}) == "leeway");
  CHECK(nearest("lisetn", {"listen", "store"}) == "listen");
  CHECK(nearest("secret", {"secret_file", "issuer"}) == "secret_file");
  CHECK(nearest("colour", {"listen", "store"}).empty());
  CHECK(nearest("", {"a"}).empty());
  CHECK(nearest(std::string(100'000, 'a'), {"a"}).empty());
}

TEST_CASE("problems become one error") {
  Problems problems;
  problems.add({}, "a.b", "wrong");
  problems.add({}, "", "bad", "Mend it");
  CHECK(problems.error().reason == Reason::config_invalid);
  CHECK(problems.error().detail == "a.b: wrong\nbad. Mend it");
}
