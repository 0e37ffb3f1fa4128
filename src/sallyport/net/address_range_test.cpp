#include "sallyport/net/address_range.h"

#include <doctest/doctest.h>

using namespace sallyport;
using namespace sallyport::net;

namespace {

bool holds(const char* range, const char* address) {
  const auto parsed = AddressRange::parse(range);
  REQUIRE_MESSAGE(parsed.ok(), parsed.error().detail);
  return parsed->contains(Endpoint::parse_ip(address, 443).value());
}

}  // namespace

TEST_CASE("address range: what it holds") {
  struct Row {
    const char* range;
    const char* address;
    bool held;
  };
  for (const Row& row : {
           Row{"192.0.2.0/24", "192.0.2.0", true},
           Row{"192.0.2.0/24", "192.0.2.255", true},
           Row{"192.0.2.0/24", "192.0.3.0", false},
           Row{"192.0.2.0/24", "::ffff:192.0.2.7", true},
           Row{"192.0.2.0/24", "::192.0.2.7", false},
           Row{"192.0.2.128/25", "192.0.2.127", false},
           Row{"192.0.2.128/25", "192.0.2.128", true},
           Row{"192.0.2.7", "192.0.2.7", true},
           Row{"192.0.2.7/32", "192.0.2.6", false},
           Row{"0.0.0.0/0", "203.0.113.9", true},
           Row{"0.0.0.0/0", "2001:db8::1", false},
           Row{"::ffff:192.0.2.0/120", "192.0.2.9", true},
           Row{"::ffff:192.0.2.0/120", "::ffff:192.0.2.9", true},
           Row{"::ffff:192.0.2.9", "192.0.2.9", true},
           Row{"::ffff:0.0.0.0/96", "203.0.113.9", true},
           Row{"2001:db8::/32", "2001:db8:ffff::1", true},
           Row{"2001:db8::/32", "2001:db9::1", false},
           Row{"2001:db8::1", "2001:db8::1", true},
           Row{"2001:db8::1/128", "2001:db8::2", false},
           Row{"fe80::/10", "febf::1", true},
           Row{"fe80::/10", "fec0::1", false},
           Row{"::/0", "2001:db8::1", true},
           Row{"::/0", "::1", true},
           Row{"::/0", "192.0.2.7", false},
           Row{"::/0", "::ffff:192.0.2.7", false},
       }) {
    CAPTURE(row.range);
    CAPTURE(row.address);
    CHECK(holds(row.range, row.address) == row.held);
  }
  CHECK(!AddressRange::parse("0.0.0.0/0")->contains(Endpoint::unix_socket("/run/x.sock").value()));
  CHECK(!AddressRange::parse("0.0.0.0/0")->contains(Endpoint()));
}

TEST_CASE("address range: what is none") {
  for (const char* text : {"",
                           "/",
                           "/24",
                           "192.0.2.0/",
                           "192.0.2.0/33",
                           "192.0.2.0/-1",
                           "192.0.2.0/+8",
                           "192.0.2.0/08",
                           "192.0.2.0/24/24",
                           "192.0.2.0/ 24",
                           " 192.0.2.0/24",
                           "192.0.2/24",
                           "192.0.2.0/a",
                           "2001:db8::/129",
                           "[2001:db8::]/32",
                           "example.com",
                           "*",
                           "all",
                           "192.0.2.1/24",
                           "2001:db8::1/32",
                           "11.0.0.0/7",
                           "::ffff:0:0/95",
                           "::ffff:192.0.2.0/95",
                           "::ffff:192.0.2.1/120",
                           "fe80::1%lo"}) {
    CAPTURE(text);
    CHECK(!AddressRange::parse(text).ok());
  }
}

TEST_CASE("address ranges: any of them") {
  const auto ranges = AddressRanges::parse({"10.0.0.0/8", "2001:db8::/32"});
  REQUIRE(ranges.ok());
  CHECK(ranges->contains(Endpoint::parse_ip("10.1.2.3", 1).value()));
  CHECK(ranges->contains(Endpoint::parse_ip("2001:db8::1", 1).value()));
  CHECK(!ranges->contains(Endpoint::parse_ip("11.0.0.0", 1).value()));
  CHECK(AddressRanges::parse({})->empty());
  CHECK(!AddressRanges::parse({"10.0.0.0/8", "x"}).ok());
}
