// SPDX-License-Identifier: Apache-2.0
#include "host/journal.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <map>

#include "base/text.hpp"
#include "base/unique_fd.hpp"
#include "host/journal_format.hpp"
#include "host/message_id.hpp"
#include "host/root.hpp"
#include "support/catch.hpp"

using namespace allocd::host;
using allocd::base::UniqueFd;
namespace base = allocd::base;

namespace {

std::string read_source(const std::string& name) {
  const auto root = Root::open(ALLOCD_SOURCE_DIR);
  REQUIRE(root.has_value());
  const auto text = root->read_file(name);
  REQUIRE(text.has_value());
  return *text;
}

// One id of the header: its comment and its value.
struct DeclaredId {
  std::string comment;
  std::string value;
};

std::vector<DeclaredId> declared_ids() {
  const std::string header = read_source("daemon/host/message_id.hpp");
  std::vector<DeclaredId> found;
  std::string comment;
  for (std::string_view rest = header; !rest.empty();) {
    const std::string_view line = base::take_line(rest);
    if (line.starts_with("//")) comment += line;
    if (line.starts_with("inline constexpr std::string_view k")) {
      found.push_back({comment, std::string(base::split(line, '"').at(1))});
    }
    if (!line.starts_with("//")) comment.clear();
  }
  return found;
}

// Entries of the catalog by id, each with its head and text. An id that comes twice is a failure.
std::map<std::string, std::string> catalog_entries() {
  const std::string catalog = read_source("systemd/allocd.catalog");
  std::map<std::string, std::string> found;
  std::string id;
  for (std::string_view rest = catalog; !rest.empty();) {
    const std::string_view line = base::take_line(rest);
    if (line.starts_with("-- ")) {
      id = line.substr(3);
      CHECK(found.emplace(id, "").second);
    } else if (!id.empty()) {
      found[id].append(line).append("\n");
    }
  }
  return found;
}

// "@NAME@" in the text of an entry.
std::vector<std::string_view> fields_used(std::string_view entry) {
  const auto parts = base::split(entry, '@');
  std::vector<std::string_view> names;
  for (std::size_t i = 1; i + 1 < parts.size(); i += 2) names.push_back(parts[i]);
  return names;
}

// What `act` writes to stderr.
template <typename Act>
std::string stderr_of(Act act) {
  std::array<int, 2> ends{};
  REQUIRE(::pipe2(ends.data(), O_CLOEXEC) == 0);
  const UniqueFd reader(ends[0]);
  UniqueFd writer(ends[1]);
  const UniqueFd saved(::fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 10));
  ::dup2(writer.get(), STDERR_FILENO);
  writer.reset();
  act();
  ::dup2(saved.get(), STDERR_FILENO);
  std::array<char, 4096> text{};
  const ssize_t size = ::read(reader.get(), text.data(), text.size());
  return {text.data(), static_cast<std::size_t>(std::max<ssize_t>(size, 0))};
}

}  // namespace

TEST_CASE("only the very stream that systemd named is the journal") {
  std::array<int, 2> ends{};
  REQUIRE(::pipe2(ends.data(), O_CLOEXEC) == 0);
  const UniqueFd one(ends[0]);
  const UniqueFd other(ends[1]);
  const UniqueFd null(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  struct stat status{};
  REQUIRE(::fstat(one.get(), &status) == 0);
  const std::string stream = fmt::format("{}:{}", status.st_dev, status.st_ino);
  CHECK(is_journal_stream(stream, one.get()));
  CHECK_FALSE(is_journal_stream(stream, null.get()));
  CHECK_FALSE(is_journal_stream(stream, -1));
  for (const char* odd :
       {"", ":", "1", "1:", ":1", "1:2:3", "-1:2", "x:y", " 1:2", "99999999999999999999:1"}) {
    CHECK_FALSE(is_journal_stream(odd, one.get()));
  }
}

TEST_CASE("the fields of a message reach the journal, odd names do not") {
  const auto lines = render_journal_fields("allocd", Priority::warning, message_id::kViolation, "two\nlines",
                                           {{"ALLOCD_UNIT", "vllm.service"},
                                            {"lower", "x"},
                                            {"_TRUSTED", "x"},
                                            {"", "x"},
                                            {"A=B", "x"},
                                            {"9", "x"}});
  const std::vector<std::string> expected{"PRIORITY=4", "SYSLOG_IDENTIFIER=allocd", "MESSAGE=two\nlines",
                                          "MESSAGE_ID=" + std::string(message_id::kViolation),
                                          "ALLOCD_UNIT=vllm.service"};
  CHECK(lines == expected);
  CHECK(render_journal_fields("allocd", Priority::info, "", "m", {}).size() == 3);
  CHECK(is_field_name(std::string(64, 'A')));
  CHECK_FALSE(is_field_name(std::string(65, 'A')));
}

TEST_CASE("a value cannot forge a second message on a terminal, and a message may have several lines") {
  const std::string line = render_stderr_line("allocd", "unit \"a\nallocd: all is well\x1b[2J\"");
  CHECK(line == "allocd: unit \"a\n  allocd: all is well\\x1b[2J\"\n");
}

TEST_CASE("outside the journal a message is one line on stderr, and fine ones are dropped") {
  const std::string text = stderr_of([] {
    set_max_priority(Priority::notice);
    process_journal().log(Priority::info, "", "too fine", {});
    process_journal().log(Priority::error, message_id::kStopping, "one", {{"ALLOCD_UNIT", "a"}});
    process_journal().log(Priority::notice, "", "two", {});
    set_max_priority(Priority::info);
  });
  CHECK(text == fmt::format("{0}: one\n{0}: two\n", program_invocation_short_name));
}

TEST_CASE("every message id has a catalog entry, every entry a message id, and both their form") {
  const auto ids = declared_ids();
  auto entries = catalog_entries();
  REQUIRE(ids.size() == 28);
  for (const DeclaredId& id : ids) {
    INFO(id.comment);
    CHECK(id.value.size() == 32);
    CHECK(id.value.find_first_not_of("0123456789abcdef") == std::string::npos);
    REQUIRE(entries.contains(id.value));
    CHECK(entries[id.value].starts_with("Subject: "));
    CHECK(entries[id.value].find("\n\n") != std::string::npos);
    entries.erase(id.value);  // so that an id that comes twice is found out
  }
  CHECK(entries.empty());
}

TEST_CASE("a catalog entry refers only to fields that its message carries") {
  const auto entries = catalog_entries();
  for (const DeclaredId& id : declared_ids()) {
    const auto entry = entries.find(id.value);
    REQUIRE(entry != entries.end());
    INFO(entry->second);
    for (const std::string_view name : fields_used(entry->second)) {
      CHECK(is_field_name(name));
      CHECK(id.comment.find(name) != std::string::npos);
    }
  }
}
