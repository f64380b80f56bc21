// SPDX-License-Identifier: Apache-2.0
#include "kernel/maps.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <string>
#include <vector>

#include "base/unique_fd.hpp"
#include "kernel/procmap_query.hpp"
#include "support/catch.hpp"

using namespace allocd;
using kernel::Mapping;
using kernel::parse_maps_line;

namespace {

// A file with the given content, from its start.
base::UniqueFd file_of(const std::string& content) {
  base::UniqueFd fd(::memfd_create("maps", MFD_CLOEXEC));
  REQUIRE(fd);
  REQUIRE(::write(fd.get(), content.data(), content.size()) == static_cast<ssize_t>(content.size()));
  REQUIRE(::lseek(fd.get(), 0, SEEK_SET) == 0);
  return fd;
}

}  // namespace

TEST_CASE("maps: a line of a library") {
  const auto mapping = parse_maps_line(
      "7f3c6b200000-7f3c6b228000 r-xp 0002a000 fd:01 396 /usr/lib/x86_64-linux-gnu/libc.so.6");
  REQUIRE(mapping);
  CHECK(mapping->start == 0x7f3c6b200000ULL);
  CHECK(mapping->end == 0x7f3c6b228000ULL);
  CHECK(mapping->size() == 0x28000);
  CHECK(mapping->readable);
  CHECK_FALSE(mapping->writable);
  CHECK(mapping->executable);
  CHECK(mapping->is_private);
  CHECK(mapping->offset == 0x2a000);
  CHECK(mapping->device_major == 0xfd);
  CHECK(mapping->device_minor == 1);
  CHECK(mapping->inode == 396);
  CHECK(mapping->is_file());
  CHECK(mapping->path == "/usr/lib/x86_64-linux-gnu/libc.so.6");
}

TEST_CASE("maps: a path keeps every blank it has") {
  const auto mapping = parse_maps_line("1000-2000 rw-s 00000000 00:1a 7          /a  b /c (deleted) ");
  REQUIRE(mapping);
  CHECK(mapping->path == "/a  b /c (deleted) ");
  CHECK_FALSE(mapping->is_private);
}

TEST_CASE("maps: anonymous memory has no path") {
  const auto mapping = parse_maps_line("7f3c5a000000-7f3c5a021000 rw-p 00000000 00:00 0 ");
  REQUIRE(mapping);
  CHECK(mapping->path.empty());
  CHECK_FALSE(mapping->is_file());
}

TEST_CASE("maps: what is no line is nothing") {
  const std::string text =
      GENERATE(as<std::string>{}, "", "7f3c", "2000-1000 rw-p 0 00:00 0", "1000-2000 rw 0 00:00 0",
               "1000-2000 rw-p x 00:00 0", "1000-2000 rw-p 0 0000 0", "1000-2000 rw-p 0 00:00 zero",
               "10000000000000000-20000000000000000 rw-p 0 00:00 0", "-1000 rw-p 0 00:00 0");
  CHECK_FALSE(parse_maps_line(text));
}

TEST_CASE("maps: a newline in a path is undone") {
  CHECK(kernel::unescape_maps_path("/a\\012b\\012") == "/a\nb\n");
  CHECK(kernel::unescape_maps_path("/plain") == "/plain");
}

TEST_CASE("maps: lines across chunk borders are whole") {
  std::string text;
  constexpr std::uint64_t kCount = 5000;
  const std::string long_path = "/" + std::string(4000, 'x');
  for (std::uint64_t i = 1; i <= kCount; ++i) {
    char line[64];
    const auto start = static_cast<unsigned long long>(i * 0x1000);
    std::snprintf(line, sizeof(line), "%llx-%llx rw-p 00000000 00:00 0 ", start, start + 0x1000);
    text += line + (i % 97 == 0 ? long_path : std::string()) + "\n";
  }
  const auto fd = file_of(text);
  std::uint64_t seen = 0;
  std::uint64_t named = 0;
  REQUIRE(kernel::visit_maps(fd.get(), [&](const Mapping& mapping) {
            ++seen;
            CHECK(mapping.start == seen * 0x1000);
            if (mapping.path == long_path) ++named;
          }) == 0);
  CHECK(seen == kCount);
  CHECK(named == kCount / 97);
}

TEST_CASE("maps: a bad line, an endless line and a stop each have their own answer") {
  const auto ignore = [](const Mapping&) {};
  CHECK(kernel::visit_maps(file_of("1000-2000 rw-p 0 00:00 0 \nrubbish\n").get(), ignore) == EBADMSG);
  CHECK(kernel::visit_maps(file_of(std::string(200'000, 'x')).get(), ignore) == EBADMSG);
  CHECK(kernel::visit_maps(file_of("1000-2000 rw-p 0 00:00 0 ").get(), ignore) == EBADMSG);
  CHECK(kernel::visit_maps(file_of("1000-2000 rw-p 0 00:00 0 \n").get(), ignore, [] { return false; }) ==
        ECANCELED);
  CHECK(kernel::visit_maps(file_of("").get(), ignore) == 0);
}

TEST_CASE("maps: this process's own map is in order, and PROCMAP_QUERY agrees with it") {
  const base::UniqueFd fd(::open("/proc/self/maps", O_RDONLY | O_CLOEXEC));
  REQUIRE(fd);
  std::vector<std::pair<std::uint64_t, std::string>> files;
  std::uint64_t last = 0;
  REQUIRE(kernel::visit_maps(fd.get(), [&](const Mapping& mapping) {
            CHECK(mapping.start >= last);
            last = mapping.end;
            if (mapping.is_file()) files.emplace_back(mapping.start, std::string(mapping.path));
          }) == 0);
  REQUIRE(files.size() > 3);
  std::size_t asked = 0;
  for (const auto& [address, path] : files) {
    const auto owner = kernel::query_owning_file(fd.get(), address);
    if (!owner) continue;  // a kernel before 6.11
    CHECK(owner->name == path);
    ++asked;
  }
  CHECK((asked == 0 || asked == files.size()));
}
