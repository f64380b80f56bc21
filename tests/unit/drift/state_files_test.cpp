// SPDX-License-Identifier: Apache-2.0
// State files on disk: what is found there never stops anybody.
#include "drift/state_files.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <filesystem>
#include <set>

#include "drift/state_text.hpp"
#include "support/box.hpp"
#include "support/catch.hpp"
#include "support/without_rights.hpp"

using namespace allocd;
using drift::load_state;
using drift::save_state;
using drift::state_name;
using test::Box;

namespace {

const std::string kUnit = "vllm@a.service";

drift::UnitHistory lived(const std::string& unit = kUnit) {
  drift::UnitHistory history(unit);
  for (int i = 1; i < 100; ++i)
    REQUIRE(history.feed({"boot", 4711, 99}, 1.8e9 + i * 60, {.uptime = i * 60.0, .memory = 1e9}));
  return history;
}

void set_age(const Box& box, const std::string& name, double written_at) {
  const timespec at{.tv_sec = static_cast<time_t>(written_at), .tv_nsec = 0};
  const std::array<timespec, 2> both{at, at};
  REQUIRE(::utimensat(AT_FDCWD, box.at(name).c_str(), both.data(), AT_SYMLINK_NOFOLLOW) == 0);
}

}  // namespace

TEST_CASE("state files: a name says which unit, and no two units share one") {
  CHECK(state_name("vllm.service").starts_with("vllm.service-"));
  CHECK(state_name("vllm.service").ends_with(".json"));
  CHECK(state_name("vllm.service") == "vllm.service-" + state_name("vllm.service").substr(13));
  std::set<std::string> names;
  for (const std::string unit : {"a.service", "A.service", "a/service", "a_service", "a\\x2dservice", "..",
                                 ".", "/system.slice/a.scope", ""}) {
    const auto name = state_name(unit);
    CHECK(name.find('/') == std::string::npos);
    CHECK_FALSE(name.starts_with('.'));
    names.insert(name);
  }
  CHECK(names.size() == 9);
  CHECK(state_name(std::string(5000, 'x')).size() < 200);
}

TEST_CASE("state files: saved, private, loaded; a unit without one has none") {
  const Box box;
  CHECK_FALSE(load_state(box.root(), "/box", kUnit).history);
  CHECK(load_state(box.root(), "/box", kUnit).problem.empty());
  CHECK(load_state(box.root(), "/absent", kUnit).problem.empty());
  const auto history = lived();
  REQUIRE(save_state(box.root(), "/box", kUnit, drift::render_state(history)));
  CHECK(box.names() == std::vector{state_name(kUnit)});
  CHECK(box.mode_of(state_name(kUnit)) == 0600);
  const auto loaded = load_state(box.root(), "/box", kUnit);
  REQUIRE(loaded.history);
  CHECK(loaded.history->life() == history.life());
  CHECK_FALSE(load_state(box.root(), "/box", "b.service").history);
}

TEST_CASE("state files: one that cannot be used is set aside, and can be written again") {
  const Box box;
  const auto name = state_name(kUnit);
  const auto good = drift::render_state(lived());
  auto newer = good;
  newer.replace(newer.find(":1,"), 3, ":2,");
  const auto of_another = drift::render_state(lived("b.service"));
  for (const auto& [text, suffix] :
       std::vector<std::pair<std::string, std::string>>{{"{", ".corrupt"},
                                                        {newer, ".newer"},
                                                        {of_another, ".corrupt"},
                                                        {std::string(1'000'000, ' '), ".corrupt"}}) {
    box.write(name, text);
    const auto loaded = load_state(box.root(), "/box", kUnit);
    CHECK_FALSE(loaded.history);
    CHECK_FALSE(loaded.problem.empty());
    CHECK(loaded.path == "/box/" + name + suffix);
    CHECK(std::filesystem::file_size(box.at(name + suffix)) == text.size());
    CHECK_FALSE(load_state(box.root(), "/box", kUnit).history);
    CHECK(load_state(box.root(), "/box", kUnit).problem.empty());
    REQUIRE(save_state(box.root(), "/box", kUnit, good));
    CHECK(load_state(box.root(), "/box", kUnit).history);
  }
}

TEST_CASE("state files: one that may be good and cannot be read stays where it is") {
  const Box box;
  const auto history = lived();
  REQUIRE(save_state(box.root(), "/box", kUnit, drift::render_state(history)));
  {
    const test::WithoutRights nobody;
    const auto refused = load_state(box.root(), "/box", kUnit);
    CHECK(refused.is_unread);
    CHECK_FALSE(refused.history);
    CHECK(refused.problem.ends_with("Permission denied"));
  }
  CHECK(box.names() == std::vector{state_name(kUnit)});
  CHECK(load_state(box.root(), "/box", kUnit).history->life() == history.life());
}

TEST_CASE("state files: what is no regular file is set aside unread") {
  const Box box;
  const auto name = state_name(kUnit);
  box.write("elsewhere", drift::render_state(lived()));
  std::filesystem::create_symlink("elsewhere", box.at(name));
  CHECK_FALSE(load_state(box.root(), "/box", kUnit).history);
  CHECK(std::filesystem::is_symlink(box.at(name + ".corrupt")));
  std::filesystem::remove(box.at(name + ".corrupt"));
  REQUIRE(::mkfifo(box.at(name).c_str(), 0600) == 0);
  CHECK_FALSE(load_state(box.root(), "/box", kUnit).history);
  CHECK(std::filesystem::is_fifo(box.at(name + ".corrupt")));
  std::filesystem::remove(box.at(name + ".corrupt"));
  std::filesystem::create_directory(box.at(name));
  CHECK_FALSE(load_state(box.root(), "/box", kUnit).history);
  CHECK(std::filesystem::is_directory(box.at(name + ".corrupt")));
}

TEST_CASE("state files: the directory is made for its owner alone, where its parent is") {
  const Box box;
  REQUIRE(drift::make_state_directory(box.root(), "/box/drift"));
  CHECK(box.mode_of("drift") == 0700);
  REQUIRE(drift::make_state_directory(box.root(), "/box/drift"));
  CHECK(drift::make_state_directory(box.root(), "/absent/drift").error().code == ENOENT);
  box.write("file", "");
  CHECK_FALSE(drift::make_state_directory(box.root(), "/box/file/drift"));
}

TEST_CASE("state files: those of units long gone are removed, and nothing else") {
  const Box box;
  const double now = 1.8e9;
  const double old = now - 31 * 86400;
  const auto used = state_name("used.service");
  const auto gone = state_name("gone.service");
  const auto recent = state_name("recent.service");
  for (const auto& name : {used, gone, gone + ".corrupt", gone + ".newer", "." + gone + ".new", recent,
                           std::string("notes.txt"), std::string("other.conf")}) {
    box.write(name, "");
    set_age(box, name, name == recent ? now - 86400 : old);
  }
  const auto removed = drift::remove_old_states(box.root(), "/box", now,
                                                [&](const std::string& name) { return name == used; });
  REQUIRE(removed);
  CHECK(*removed == 4);
  auto left = std::vector{used, recent, std::string("notes.txt"), std::string("other.conf")};
  std::ranges::sort(left);
  CHECK(box.names() == left);
  // A clock that has not been set yet, after a boot without one.
  REQUIRE(drift::remove_old_states(box.root(), "/box", 0, [](const std::string&) { return false; }) == 0U);
}

TEST_CASE("state files: of too many, those written longest ago go") {
  const Box box;
  const double now = 1.8e9;
  for (std::size_t i = 0; i < drift::kMostStates + 3; ++i) {
    const auto name = state_name("unit" + std::to_string(i));
    box.write(name, "");
    set_age(box, name, now - static_cast<double>(i));
  }
  REQUIRE(drift::remove_old_states(box.root(), "/box", now, [](const std::string&) { return false; }) == 3U);
  const auto names = box.names();
  CHECK(names.size() == drift::kMostStates);
  CHECK(std::ranges::count(names, state_name("unit" + std::to_string(drift::kMostStates + 2))) == 0);
  CHECK(std::ranges::count(names, state_name("unit0")) == 1);
}
