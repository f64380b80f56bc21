// SPDX-License-Identifier: Apache-2.0
#include "enforcer/lock.hpp"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "support/box.hpp"

using namespace allocd;
using namespace std::chrono_literals;
using enforcer::take_lock;
using test::Box;

namespace {

// A process that holds the lock until it is killed.
class Holder {
 public:
  explicit Holder(const host::Root& root) {
    std::array<int, 2> ends{};
    REQUIRE(::pipe(ends.data()) == 0);
    child_ = ::fork();
    REQUIRE(child_ >= 0);
    if (child_ == 0) hold(root, ends[1]);
    ::close(ends[1]);
    char answer = 'n';
    REQUIRE(::read(ends[0], &answer, 1) == 1);
    ::close(ends[0]);
    REQUIRE(answer == 'y');
  }
  ~Holder() { kill(); }
  Holder(const Holder&) = delete;
  Holder& operator=(const Holder&) = delete;

  void kill() {
    if (child_ <= 0) return;
    ::kill(child_, SIGKILL);
    ::waitpid(child_, nullptr, 0);
    child_ = 0;
  }

 private:
  [[noreturn]] static void hold(const host::Root& root, int told) {
    const auto lock = take_lock(root, "/box", 0ms);
    const char answer = lock ? 'y' : 'n';
    if (::write(told, &answer, 1) != 1) ::_exit(1);
    for (;;) ::pause();
  }
  pid_t child_ = 0;
};

}  // namespace

TEST_CASE("lock: a second taker waits, and fails when its patience ends") {
  Box box;
  auto first = take_lock(box.root(), "/box", 0ms);
  REQUIRE(first);
  const auto start = std::chrono::steady_clock::now();
  const auto second = take_lock(box.root(), "/box", 200ms);
  REQUIRE_FALSE(second);
  CHECK(second.error().code == EWOULDBLOCK);
  CHECK(std::chrono::steady_clock::now() - start >= 200ms);
  *first = base::UniqueFd();
  CHECK(take_lock(box.root(), "/box", 0ms));
}

TEST_CASE("lock: the death of its holder frees it") {
  Box box;
  Holder holder(box.root());
  CHECK(take_lock(box.root(), "/box", 0ms).error().code == EWOULDBLOCK);
  holder.kill();
  CHECK(take_lock(box.root(), "/box", 30s));
}

TEST_CASE("lock: a link in its place is not followed, and no directory is a fault") {
  Box box;
  std::filesystem::create_symlink("elsewhere", box.at("lock"));
  CHECK_FALSE(take_lock(box.root(), "/box", 0ms));
  CHECK(box.names() == std::vector<std::string>{"lock"});
  CHECK(take_lock(box.root(), "/absent", 0ms).error().code == ENOENT);
}
