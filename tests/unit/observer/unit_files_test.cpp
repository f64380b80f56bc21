// SPDX-License-Identifier: Apache-2.0
// What is read of a unit's files, when it is read again, and what never leaves them.
#include "observer/unit_files.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <string>

#include "support/catch.hpp"
#include "unit_tree.hpp"

using namespace allocd;
using observer::UnitFiles;
using policy::DropInState;

namespace {

const std::string kJemalloc = "Environment=LD_PRELOAD=/usr/lib/libjemalloc.so.2";

class Reader : public test::UnitTree {
 public:
  const observer::UnitFilesView& look(double now = 5000) {
    return files.look(facts, {.manager_environment = manager, .specifiers = {}, .manager_places = {}}, now);
  }
  DropInState state() { return look().drop_in.state; }

  UnitFiles files{root};
  std::vector<std::string> manager;
};

const snapshot::Variable* find(const snapshot::Environment& environment, const std::string& name) {
  const auto found = std::ranges::find(environment.variables, name, &snapshot::Variable::name);
  return found == environment.variables.end() ? nullptr : &*found;
}

}  // namespace

TEST_CASE("each contribution to the preload has its file and line, and the last one wins", "[unit_files]") {
  Reader it;
  it.manager = {"LD_PRELOAD=/manager.so", "PATH=/bin"};
  it.write(test::kUnitFile, "[Service]\n# why\n" + kJemalloc + "\nEnvironmentFile=-/etc/default/vllm\n");
  it.write("/etc/default/vllm", "A=1\nLD_PRELOAD=/opt/libtcmalloc.so.4\n");
  it.facts.environment_files = {{"/etc/default/vllm", true}};
  const auto& view = it.look();
  const auto* preload = find(view.environment, "LD_PRELOAD");
  REQUIRE(preload != nullptr);
  CHECK(preload->value == "/opt/libtcmalloc.so.4");
  REQUIRE(preload->contributions.size() == 3);
  CHECK(preload->contributions[0].origin == unitfile::Origin::manager);
  CHECK(preload->contributions[1].path == test::kUnitFile);
  CHECK(preload->contributions[1].line == 3);
  CHECK_FALSE(preload->contributions[1].wins);
  CHECK(preload->contributions[2].path == "/etc/default/vllm");
  CHECK(preload->contributions[2].line == 2);
  CHECK(preload->contributions[2].wins);
  REQUIRE(view.preload);
  CHECK(view.preload->variable.value == "/opt/libtcmalloc.so.4");
  CHECK(view.preload->unread.empty());
  CHECK(view.changed_at > 1'600'000'000);
  CHECK(view.environment.doubts.empty());
}

TEST_CASE("no other variable, and no line that holds one, leaves the files", "[unit_files]") {
  Reader it;
  it.write(test::kUnitFile,
           "[Service]\nEnvironment=TOKEN=geheim-1 \"LD_PRELOAD=a.so\nEnvironment=API_KEY=%Z-geheim-2\n"
           "Environment=geheim-3\nPassEnvironment=geheim-4!\nEnvironmentFile=/etc/keys\nPAMName=geheim-5\n");
  it.write("/etc/keys", "HF_TOKEN=geheim-6\ngeheim-7\nexport X=geheim-8\nMALLOC_CONF=narenas:4\n");
  const auto& environment = it.look().environment;
  REQUIRE(environment.variables.size() == 1);
  CHECK(environment.variables[0].name == "MALLOC_CONF");
  for (const auto& doubt : environment.doubts) CHECK(doubt.find("geheim") == std::string::npos);
}

TEST_CASE("files are read when they or systemd's view of them change, else never", "[unit_files]") {
  Reader it;
  it.facts.environment_files = {{"/etc/default/vllm", true}};
  it.write(test::kUnitFile, "[Service]\nEnvironmentFile=-/etc/default/vllm\n");
  static_cast<void>(it.look());
  static_cast<void>(it.look());
  it.facts.active_state = "inactive";
  it.facts.restarts = 7;
  static_cast<void>(it.look());
  CHECK(it.files.reads() == 1);
  it.write("/etc/default/vllm", "LD_PRELOAD=x.so\n");
  REQUIRE(find(it.look().environment, "LD_PRELOAD") != nullptr);
  CHECK(it.files.reads() == 2);
  it.facts.drop_in_paths = {"/run/x.conf"};
  static_cast<void>(it.look());
  CHECK(it.files.reads() == 3);
  it.files.distrust();
  static_cast<void>(it.look());
  static_cast<void>(it.look());
  CHECK(it.files.reads() == 4);
  it.remove("/etc/default/vllm");
  CHECK(find(it.look().environment, "LD_PRELOAD") == nullptr);
}

TEST_CASE("a new file that an EnvironmentFile= pattern matches is seen", "[unit_files]") {
  Reader it;
  it.write(test::kUnitFile, "[Service]\nEnvironmentFile=-/etc/vllm.env.d/*.env\n");
  it.write("/etc/vllm.env.d/a.env", "LD_PRELOAD=a.so\n");
  CHECK(find(it.look().environment, "LD_PRELOAD")->value == "a.so");
  it.write("/etc/vllm.env.d/b.env", "LD_PRELOAD=b.so\n");
  CHECK(find(it.look().environment, "LD_PRELOAD")->value == "b.so");
}

TEST_CASE("an environment file that cannot be read is a doubt, and named", "[unit_files]") {
  Reader it;
  it.write(test::kUnitFile,
           "[Service]\n" + kJemalloc + "\nEnvironmentFile=/etc/fifo\nEnvironmentFile=/etc/missing\n");
  REQUIRE(::mkfifo((it.directory.path() / "etc/fifo").c_str(), 0600) == 0);
  const auto& view = it.look();
  REQUIRE(view.preload);
  CHECK(view.preload->unread == std::vector<std::string>{"/etc/fifo"});
  const auto has = [&](const std::string& text) {
    return std::ranges::any_of(view.environment.doubts,
                               [&](const auto& doubt) { return doubt.find(text) != std::string::npos; });
  };
  CHECK(has("vllm.service:3: what /etc/fifo sets is not known"));
  CHECK(has("vllm.service:4: there is no file /etc/missing"));
}

TEST_CASE("a temporary file that is not there may be there for others", "[unit_files]") {
  Reader it;
  it.write(test::kUnitFile, "[Service]\nEnvironmentFile=-/tmp/vllm.env\n");
  CHECK(it.look().preload->unread == std::vector<std::string>{"/tmp/vllm.env"});
  CHECK(it.look().environment.doubts.size() == 1);
  it.write("/tmp/vllm.env", "LD_PRELOAD=a.so\n");
  CHECK(it.look().environment.variables.size() == 1);
  CHECK(it.look().environment.doubts.empty());
}

TEST_CASE("an unreadable file before one that sets the preload takes nothing away", "[unit_files]") {
  Reader it;
  it.write(test::kUnitFile, "[Service]\nEnvironmentFile=/etc/fifo\nEnvironmentFile=/etc/default/vllm\n");
  REQUIRE(::mkfifo((it.directory.path() / "etc/fifo").c_str(), 0600) == 0);
  it.write("/etc/default/vllm", "LD_PRELOAD=a.so\n");
  CHECK(it.look().preload->unread.empty());
}

TEST_CASE("files that systemd knows of and we do not make what was read worthless", "[unit_files]") {
  Reader it;
  it.facts.environment_files = {{"/etc/default/of-another-file", false}};
  CHECK_FALSE(it.look().preload);
  it.facts.fragment_path = "/etc/systemd/system/gone.service";
  it.facts.environment_files.clear();
  const auto& view = it.look();
  REQUIRE(view.environment.doubts.size() == 1);
  CHECK(view.environment.doubts[0].find("gone.service") != std::string::npos);
}

TEST_CASE("our drop-in: absent, intact, tampered, foreign", "[unit_files]") {
  Reader it;
  CHECK(it.state() == DropInState::absent);
  CHECK(it.look().drop_in.path == test::kOurs);
  it.apply({"[Service]", kJemalloc});
  CHECK(it.state() == DropInState::intact);
  CHECK(it.look().drop_in.loaded);
  it.write(test::kOurs, test::owned_text({"[Service]", kJemalloc}) + "Environment=X=1\n");
  CHECK(it.state() == DropInState::tampered);
  it.write(test::kOurs, "[Service]\n");
  CHECK(it.state() == DropInState::foreign);
  it.remove(test::kOurs);
  CHECK(it.state() == DropInState::absent);
  CHECK(it.look().drop_in.loaded);
  std::filesystem::create_symlink("/dev/null", it.directory.path() / test::kOurs.substr(1));
  CHECK(it.state() == DropInState::foreign);
}

TEST_CASE("the file beside our drop-in is part of it", "[unit_files]") {
  Reader it;
  it.apply({"[Service]", "EnvironmentFile=" + test::kOurEnvironment});
  CHECK(it.state() == DropInState::absent);
  it.write(test::kOurEnvironment, test::owned_text({"LD_PRELOAD=a.so"}));
  CHECK(it.state() == DropInState::intact);
  it.write(test::kOurEnvironment, test::owned_text({"LD_PRELOAD=a.so"}) + "LD_PRELOAD=b.so\n");
  CHECK(it.state() == DropInState::tampered);
}

TEST_CASE("an instance's drop-in may be its template's", "[unit_files]") {
  Reader it;
  it.facts.name = "vllm@a.service";
  const std::string whole = "/etc/systemd/system/vllm@.service.d/zz-allocd.conf";
  it.write(whole, test::owned_text({"[Service]"}));
  CHECK(it.state() == DropInState::intact);
  CHECK(it.look().drop_in.path == whole);
  CHECK(it.files.directories().contains("/run/systemd/system/vllm@.service.d"));
  CHECK(it.files.directories().contains("/etc/systemd/system/vllm@a.service.d"));
}

TEST_CASE("a unit that is watched no more is forgotten with its directories", "[unit_files]") {
  Reader it;
  static_cast<void>(it.look());
  CHECK_FALSE(it.files.directories().empty());
  it.files.forget_unless([](const std::string&) { return false; });
  CHECK(it.files.directories().empty());
  static_cast<void>(it.look());
  CHECK(it.files.reads() == 2);
}

TEST_CASE("when an environment file changes what the preload comes to", "[unit_files]") {
  Reader it;
  it.write(test::kUnitFile, "[Service]\n" + kJemalloc + "\nEnvironmentFile=-/etc/default/vllm\n");
  CHECK(it.look().changed_at == 0);
  it.write("/etc/default/vllm", "LD_PRELOAD=libtcmalloc.so.4\n");
  const double written = it.look().changed_at;
  CHECK(written > 1'600'000'000);
  it.remove("/etc/default/vllm");
  CHECK(it.look(7'000'000'000).changed_at == 7'000'000'000);
}

TEST_CASE("a shell between systemd and the program", "[unit_files]") {
  Reader it;
  const auto starts = [&](const std::string& program, const std::string& text = "") {
    it.facts.exec_start = {{program}};
    if (!text.empty()) it.write(program, text);
    return observer::read_starts_script(it.root, it.facts);
  };
  CHECK(starts("/bin/sh"));
  CHECK(starts("/usr/bin/bash"));
  CHECK(starts("/opt/run", "#!/bin/sh\nexec vllm\n"));
  CHECK(starts("/opt/run2", "#! /usr/bin/env bash\n"));
  CHECK(starts("/opt/run3", "#!/usr/bin/env -S bash -e\n"));
  CHECK_FALSE(starts("/opt/vllm", "#!/opt/venv/bin/python3\n"));
  CHECK_FALSE(starts("/opt/elf", std::string("\177ELF\0\0", 6)));
  CHECK_FALSE(starts("/opt/empty", "#!"));
  CHECK_FALSE(starts("/opt/env", "#!/usr/bin/env"));
  CHECK_FALSE(starts("/opt/missing"));
  it.facts.root_directory = "/srv";
  CHECK_FALSE(starts("/opt/run"));
  it.facts.exec_start.clear();
  CHECK_FALSE(observer::read_starts_script(it.root, it.facts));
}

TEST_CASE("the digest is of what unit files say and of the program, not of times", "[unit_files]") {
  Reader it;
  it.facts.environment_files = {{"/etc/default/vllm", true}};
  const std::string text = "[Service]\nEnvironmentFile=-/etc/default/vllm\n";
  it.write(test::kUnitFile, text);
  it.write("/usr/bin/vllm", "#!/bin/sh\n");
  const auto before = it.look().digest;
  // As a generator does with each daemon-reload.
  it.remove(test::kUnitFile);
  it.write(test::kUnitFile, text);
  it.write("/etc/default/vllm", "LD_PRELOAD=/opt/other.so\n");
  CHECK(it.look().digest == before);
  it.write(test::kUnitFile, text + "UnsetEnvironment=LD_PRELOAD\n");
  const auto changed = it.look().digest;
  CHECK(changed != before);
  it.apply({"[Service]", kJemalloc});
  const auto applied = it.look().digest;
  CHECK(applied != changed);
  it.write("/usr/bin/vllm", "#!/usr/bin/python3\n");
  CHECK(it.look().digest != applied);
}
