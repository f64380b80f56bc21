// SPDX-License-Identifier: Apache-2.0
// Disks that are full or read-only, and a writer that is killed at each of its system calls: afterwards the
// old file or the new one is there, whole, and the next run completes.
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <functional>

#include "base/unique_fd.hpp"
#include "support/owned_tree.hpp"

using namespace allocd::host;
using allocd::base::UniqueFd;
using allocd::test::OwnedTree;
namespace fs = std::filesystem;

namespace {

const std::string kOld = "old\n" + std::string(5000, 'o');
const std::string kNew = "new\n" + std::string(9000, 'n');

// What `work` returns, from a process of its own: it may spoil its limits and its mounts.
std::string in_child(const std::function<std::string()>& work) {
  int ends[2] = {-1, -1};
  REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
  UniqueFd reader(ends[0]);
  UniqueFd writer(ends[1]);
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    std::string text = "threw";  // a failed REQUIRE must not go on to run our tests in here
    try {
      text = work();
    } catch (...) {
    }
    const bool whole = ::write(writer.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size());
    ::_exit(whole ? 0 : 1);
  }
  writer.reset();
  const auto said = read_all(reader.get(), "a pipe");
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  CHECK(status == 0);
  return said.value_or("nothing");
}

// In a mount namespace of its own: a file system on `path` that ends with the process.
std::string mount_small(const fs::path& path, const char* options) {
  if (::geteuid() != 0) {
    // Who is not root may still mount, as root of a user namespace in which he stays who he is.
    const auto same = [](auto id) { return std::to_string(id) + " " + std::to_string(id) + " 1"; };
    const auto user = same(::geteuid());
    const auto group = same(::getegid());
    if (::unshare(CLONE_NEWUSER) != 0) return "cannot unshare the user";
    std::ofstream("/proc/self/setgroups") << "deny";
    std::ofstream("/proc/self/uid_map") << user;
    std::ofstream("/proc/self/gid_map") << group;
  }
  if (::unshare(CLONE_NEWNS) != 0) return "cannot unshare the mounts";
  if (::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) return "cannot make mounts private";
  if (::mount("none", path.c_str(), "tmpfs", 0, options) != 0) return "cannot mount";
  return "";
}

void fill_up(const fs::path& path) {
  const UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
  const std::string block(4096, 'x');
  while (::write(fd.get(), block.data(), block.size()) > 0) {
  }
}

std::string cause_of(const allocd::base::Result<Applied>& applied) {
  return applied ? std::string(kAppliedNames.name(*applied)) : applied.error().cause;
}

// Writing the new text, where the disk lets it down; then what is there.
std::string write_and_look(const OwnedTree& tree) {
  const auto before = read_state(tree.root(), OwnedTree::kPath);
  if (!before) return before.error().message();
  const auto written = apply_write(tree.root(), OwnedTree::kPath, kNew, 0644, *before);
  const auto after = read_state(tree.root(), OwnedTree::kPath);
  const bool same = after && *after == *before;
  return cause_of(written) + (same ? ", the same" : ", changed") + ", " +
         std::to_string(tree.names().size()) + " names";
}

}  // namespace

TEST_CASE("a full disk leaves the old file, and nothing else") {
  const OwnedTree tree;
  const auto report = in_child([&] {
    if (auto why = mount_small(tree.at("/etc"), "size=256k,mode=0755"); !why.empty()) return why;
    tree.write(kOld);
    fill_up(tree.at("/etc/filler"));
    return write_and_look(tree);
  });
  CHECK(report == "No space left on device, the same, 1 names");
}

TEST_CASE("a full disk leaves no directory behind") {
  const OwnedTree tree;
  const auto report = in_child([&] {
    if (auto why = mount_small(tree.at("/etc"), "size=256k,mode=0755"); !why.empty()) return why;
    fs::create_directories(tree.at(OwnedTree::kBase));
    fill_up(tree.at("/etc/filler"));
    const auto said = write_and_look(tree);
    return said + (fs::exists(tree.at(OwnedTree::kDirectory)) ? ", a directory" : ", no directory");
  });
  CHECK(report == "No space left on device, the same, 0 names, no directory");
}

TEST_CASE("a disk without inodes leaves the old file") {
  const OwnedTree tree;
  const auto report = in_child([&] {
    if (auto why = mount_small(tree.at("/etc"), "nr_inodes=5,mode=0755"); !why.empty()) return why;
    tree.write(kOld);  // /etc itself, systemd, system, the directory and the file are all there can be
    return write_and_look(tree);
  });
  CHECK(report == "No space left on device, the same, 1 names");
}

TEST_CASE("a read-only disk leaves the old file") {
  const OwnedTree tree;
  const auto report = in_child([&] {
    if (auto why = mount_small(tree.at("/etc"), "mode=0755"); !why.empty()) return why;
    tree.write(kOld);
    if (::mount("none", tree.at("/etc").c_str(), nullptr, MS_REMOUNT | MS_RDONLY, nullptr) != 0) {
      return std::string("cannot remount");
    }
    const auto removed =
        apply_remove(tree.root(), OwnedTree::kPath, *read_state(tree.root(), OwnedTree::kPath));
    return write_and_look(tree) + "; " + cause_of(removed);
  });
  CHECK(report == "Read-only file system, the same, 1 names; Read-only file system");
}

TEST_CASE("a write that stops half way leaves the old file") {
  const OwnedTree tree;
  tree.write(kOld);
  const auto report = in_child([&] {
    const rlimit limit{6000, 6000};
    ::signal(SIGXFSZ, SIG_IGN);
    if (::setrlimit(RLIMIT_FSIZE, &limit) != 0) return std::string("cannot set the limit");
    return write_and_look(tree);
  });
  CHECK(report == "File too large, the same, 1 names");
}

namespace {

// Runs `work` in a child and kills it at its `stop`th entry to or return from a system call. False when the
// child was through before.
bool killed_at(int stop, const std::function<void()>& work) {
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    if (::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) != 0) ::_exit(2);
    ::umask(0077);  // as the service's
    static_cast<void>(::raise(SIGSTOP));
    work();
    ::_exit(0);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  REQUIRE(WIFSTOPPED(status));
  for (int at = 0; at < stop; ++at) {
    REQUIRE(::ptrace(PTRACE_SYSCALL, child, nullptr, nullptr) == 0);
    REQUIRE(::waitpid(child, &status, 0) == child);
    if (WIFEXITED(status)) {
      CHECK(WEXITSTATUS(status) == 0);
      return false;
    }
    REQUIRE(WIFSTOPPED(status));
  }
  REQUIRE(::kill(child, SIGKILL) == 0);
  REQUIRE(::waitpid(child, &status, 0) == child);
  return true;
}

constexpr int kMostStops = 2000;  // far more than there are

void clean_up(const OwnedTree& tree) {
  const auto removed = remove_leftovers(tree.root(), OwnedTree::kDirectory);
  REQUIRE(removed);
  CHECK(*removed <= 1);
}

}  // namespace

TEST_CASE("a writer killed at any moment leaves the old file or the new one, and the next run completes") {
  const bool is_new = GENERATE(true, false);
  INFO((is_new ? "the file is new" : "the file is replaced"));
  int stop = 1;
  bool kept_old = false;
  for (bool killed = true; killed && stop < kMostStops; ++stop) {
    INFO("stop " << stop);
    const OwnedTree tree;
    if (!is_new) tree.write(kOld);
    const auto root = tree.root();
    const auto before = tree.state();
    killed =
        killed_at(stop, [&] { static_cast<void>(apply_write(root, OwnedTree::kPath, kNew, 0644, before)); });
    const auto after = tree.state();
    const bool is_old = after.kind == before.kind && after.text == before.text;
    CHECK((is_old || after.text == kNew));
    if (!is_old) CHECK(after.mode == 0644);
    kept_old = kept_old || is_old;
    clean_up(tree);
    CHECK(tree.apply(kNew, tree.state()) == "done");
    CHECK(tree.text() == kNew);
    CHECK(tree.names() == std::vector<std::string>{"zz-allocd.conf"});
    CHECK(tree.mode_of(OwnedTree::kDirectory) == 0755);
  }
  CHECK(kept_old);
  CHECK(stop > 20);
  CHECK(stop < kMostStops);
}

TEST_CASE("a remover killed at any moment leaves the file whole or gone, and the next run completes") {
  int stop = 1;
  for (bool killed = true; killed && stop < kMostStops; ++stop) {
    INFO("stop " << stop);
    const OwnedTree tree;
    tree.write(kOld);
    const auto root = tree.root();
    const auto before = tree.state();
    killed = killed_at(stop, [&] { static_cast<void>(apply_remove(root, OwnedTree::kPath, before)); });
    const auto after = tree.state();
    CHECK((after.kind == FileState::Kind::absent || after.text == kOld));
    CHECK(tree.remove(after) == "done");
    CHECK_FALSE(fs::exists(tree.at(OwnedTree::kDirectory)));
  }
  CHECK(stop > 10);
  CHECK(stop < kMostStops);
}
