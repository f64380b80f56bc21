// SPDX-License-Identifier: Apache-2.0
#include "kernel/process_stat.hpp"

#include <unistd.h>

#include <string>

#include "host/root.hpp"
#include "support/catch.hpp"

using allocd::kernel::parse_process_stat;

namespace {

// Captured from Linux 6.18; the name is put in.
std::string line_with_name(const std::string& name) {
  return "4711 (" + name +
         ") S 4700 4711 4711 0 -1 4194560 9129 17 3 5 120 40 0 0 20 0 4 0 251337 31735808 2512 "
         "18446744073709551615 94250912759808 94250912836401 140727693271088 0 0 0 0 16781312 134433281 0 0 "
         "0 17 0 0 "
         "0 0 0 0 94250912872240 94250912877120 94251766435840 140727693278011 140727693278039 "
         "140727693278039 "
         "140727693283307 0\n";
}

}  // namespace

TEST_CASE("stat: the fields we use") {
  const auto text = line_with_name("python3");
  const auto stat = parse_process_stat(text);
  REQUIRE(stat);
  CHECK(stat->comm == "python3");
  CHECK(stat->state == 'S');
  CHECK(stat->minor_faults == 9129);
  CHECK(stat->major_faults == 3);
  CHECK(stat->threads == 4);
  CHECK(stat->start_ticks == 251337);
  CHECK(stat->image.start_code == 94250912759808ULL);
  CHECK(stat->image.end_code == 94250912836401ULL);
  CHECK(stat->image.start_stack == 140727693271088ULL);
  CHECK(stat->image.known());
}

TEST_CASE("stat: the name may hold what ends it") {
  const std::string name =
      GENERATE(as<std::string>{}, "a) S 1 (b", ") 1 2 3", "new\nline", "", "((((", "x) R 0");
  const auto text = line_with_name(name);
  const auto stat = parse_process_stat(text);
  REQUIRE(stat);
  CHECK(stat->comm == name);
  CHECK(stat->start_ticks == 251337);
}

TEST_CASE("stat: a zombie has ended unless threads of it run on") {
  std::string text = line_with_name("x");
  CHECK_FALSE(parse_process_stat(text)->has_ended());
  CHECK_FALSE(parse_process_stat(text)->has_lost_first_thread());
  text.replace(text.find(") S "), 4, ") Z ");
  CHECK_FALSE(parse_process_stat(text)->has_ended());
  CHECK(parse_process_stat(text)->has_lost_first_thread());
  text.replace(text.find(" 20 0 4 0 "), 10, " 20 0 1 0 ");
  CHECK(parse_process_stat(text)->has_ended());
  CHECK_FALSE(parse_process_stat(text)->has_lost_first_thread());
  text.replace(text.find(") Z "), 4, ") X ");
  CHECK(parse_process_stat(text)->has_ended());
}

TEST_CASE("stat: what the kernel hides is not an image") {
  std::string text = line_with_name("hidden");
  text.replace(text.find("94250912759808 94250912836401 140727693271088"), 45, "1 1 0");
  const auto stat = parse_process_stat(text);
  REQUIRE(stat);
  CHECK_FALSE(stat->image.known());
}

TEST_CASE("stat: cut short or not a number is nothing") {
  const std::string whole = line_with_name("cut");
  const auto end_of_stack = whole.find("140727693271088");
  for (std::size_t length = 0; length < end_of_stack; ++length) {
    INFO(length);
    CHECK_FALSE(parse_process_stat(whole.substr(0, length)));
  }
  CHECK_FALSE(parse_process_stat("4711 (x) S a b c d e f g h i j k l m n o p q r s t u v w x y z"));
  CHECK_FALSE(parse_process_stat(
      line_with_name("big").replace(line_with_name("big").find("251337"), 6, "99999999999999999999")));
}

TEST_CASE("stat: this process, as the kernel tells it now") {
  const auto root = allocd::host::Root::open();
  REQUIRE(root);
  const auto text = root->read_file("/proc/self/stat");
  REQUIRE(text);
  const auto stat = parse_process_stat(*text);
  REQUIRE(stat);
  CHECK(stat->image.known());
  CHECK(stat->start_ticks > 0);
  CHECK(text->starts_with(std::to_string(::getpid())));
}
