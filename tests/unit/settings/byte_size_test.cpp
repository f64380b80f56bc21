// SPDX-License-Identifier: Apache-2.0
#include "settings/byte_size.hpp"

#include <limits>

#include "support/catch.hpp"

using allocd::settings::parse_byte_size;
using allocd::settings::render_byte_size;
using allocd::settings::ValueError;

namespace {

ValueError error_of(std::string_view text) {
  const auto size = parse_byte_size(text);
  return size ? ValueError{"accepted", ""} : size.error();
}

}  // namespace

TEST_CASE("byte sizes") {
  CHECK(parse_byte_size("0") == 0U);
  CHECK(parse_byte_size("4096") == 4096U);
  CHECK(parse_byte_size("4096B") == 4096U);
  CHECK(parse_byte_size("64K") == 65536U);
  CHECK(parse_byte_size("64KiB") == 65536U);
  CHECK(parse_byte_size("1M") == 1048576U);
  CHECK(parse_byte_size("2GiB") == 2147483648U);
  CHECK(parse_byte_size("1T") == 1099511627776U);
}

TEST_CASE("byte sizes that could be read in two ways are refused") {
  CHECK(error_of("1KB") == ValueError{"'KB' may mean powers of 1000 or of 1024", "write 1KiB"});
  CHECK(error_of("20Gb") == ValueError{"'Gb' may mean powers of 1000 or of 1024", "write 20GiB"});
  CHECK(error_of("010").message == "it has a leading zero");
  CHECK(error_of("1.5G").message == "it has a fraction");
}

TEST_CASE("slips of the pen in byte sizes") {
  CHECK(error_of("").message == "it is empty");
  CHECK(error_of("K").message == "it does not begin with a number");
  CHECK(error_of(" 1K").message == "it does not begin with a number");
  CHECK(error_of("-1").message == "it is negative");
  CHECK(error_of("1 K").message == "unknown unit ' K'");
  CHECK(error_of("1k").message == "unknown unit 'k'");
  CHECK(error_of("1KiBs").message == "unknown unit 'KiBs'");
  CHECK(error_of("1P").message == "unknown unit 'P'");
}

TEST_CASE("byte sizes do not overflow") {
  CHECK(parse_byte_size("18446744073709551615") == std::numeric_limits<std::uint64_t>::max());
  CHECK(parse_byte_size("16777215T") == std::uint64_t{16777215} << 40U);
  CHECK(error_of("18446744073709551616").message == "it is too large");
  CHECK(error_of("16777216T").message == "it is too large");
}

TEST_CASE("byte sizes are rendered short and exact") {
  CHECK(render_byte_size(0) == "0");
  CHECK(render_byte_size(1025) == "1025");
  CHECK(render_byte_size(65536) == "64K");
  CHECK(render_byte_size(std::uint64_t{1} << 50U) == "1024T");
}
