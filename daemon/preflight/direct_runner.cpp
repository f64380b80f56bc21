// SPDX-License-Identifier: Apache-2.0
#include "preflight/direct_runner.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <optional>
#include <utility>

#include "base/result.hpp"
#include "base/unique_fd.hpp"
#include "preflight/capture.hpp"

namespace allocd::preflight {

namespace {

using Clock = std::chrono::steady_clock;

constexpr unsigned kNobody = 65534;

// What the child could not do, told through a pipe that exec closes.
struct Failure {
  char what[32];
  int error;
};

struct Plan {
  std::vector<std::string> words;
  std::vector<char*> environment;
  std::array<char*, 2> arguments{};
  int output = -1;
  int errors = -1;
  int failure = -1;
  pid_t parent = 0;
};

CanaryRun not_run(std::string why) {
  CanaryRun run;
  run.why_not_run = std::move(why);
  return run;
}

// The child ------------------------------------------------------------------------------------------------

[[noreturn]] void give_up(const Plan& plan, const char* what) {
  Failure failure{};
  failure.error = errno;
  for (std::size_t i = 0; i + 1 < sizeof failure.what && what[i] != '\0'; ++i) failure.what[i] = what[i];
  static_cast<void>(!::write(plan.failure, &failure, sizeof failure));
  ::_exit(127);
}

void forget_signals() {
  struct sigaction standard{};
  standard.sa_handler = SIG_DFL;
  for (int signal = 1; signal < SIGRTMIN; ++signal) ::sigaction(signal, &standard, nullptr);
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
}

// The C library's own setresuid would stop to change every other thread, of which a forked child has none.
void drop_privileges(const Plan& plan) {
  if (::geteuid() == 0 || ::getuid() == 0) {
    if (::syscall(SYS_setgroups, 0, nullptr) != 0) give_up(plan, "drop root's groups");
    if (::syscall(SYS_setresgid, kNobody, kNobody, kNobody) != 0) give_up(plan, "drop root's group");
    if (::syscall(SYS_setresuid, kNobody, kNobody, kNobody) != 0) give_up(plan, "stop being root");
  }
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) give_up(plan, "give up new privileges");
}

[[noreturn]] void run_child(const Plan& plan) {
  ::setpgid(0, 0);
  forget_signals();
  const int null = ::open("/dev/null", O_RDONLY);
  if (null < 0 || ::dup2(null, STDIN_FILENO) < 0) give_up(plan, "open /dev/null");
  if (::dup2(plan.output, STDOUT_FILENO) < 0 || ::dup2(plan.errors, STDERR_FILENO) < 0)
    give_up(plan, "set stdio");
  constexpr unsigned kCloseOnExec =
      1U << 2U;  // CLOSE_RANGE_CLOEXEC, Linux 5.11; before it: as the caller made them
  ::syscall(SYS_close_range, 3U, ~0U, kCloseOnExec);
  const rlimit no_core{0, 0};
  ::setrlimit(RLIMIT_CORE, &no_core);
  drop_privileges(plan);
  // Last: a change of user clears it. And only then can it be seen whether the parent went before.
  ::prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
  if (::getppid() != plan.parent) ::_exit(127);
  if (::chdir("/") != 0) give_up(plan, "go to /");
  ::execve(plan.arguments[0], plan.arguments.data(), plan.environment.data());
  give_up(plan, "start");
}

// The parent -----------------------------------------------------------------------------------------------

class Child {
 public:
  explicit Child(pid_t pid) : pid_(pid), handle_(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0))) {
    ::setpgid(pid, pid);  // whichever of us is first
  }
  ~Child() { end(); }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  [[nodiscard]] int handle() const { return handle_.get(); }
  [[nodiscard]] bool is_over() const {
    siginfo_t info{};
    return ::waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
           info.si_pid == pid_;
  }
  // Kills what is left of the group and reaps the child: in this order, so that the number is still ours.
  int end() {
    if (pid_ <= 0) return status_;
    ::kill(-pid_, SIGKILL);
    ::kill(pid_, SIGKILL);
    while (::waitpid(pid_, &status_, 0) < 0 && errno == EINTR) {
    }
    pid_ = 0;
    return status_;
  }

 private:
  pid_t pid_;
  base::UniqueFd handle_;
  int status_ = 0;
};

// True when the child ended by itself before the limit.
bool wait_for(const Child& child, Capture& capture, std::chrono::milliseconds limit) {
  const auto end = Clock::now() + limit;
  while (!child.is_over()) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(end - Clock::now()).count();
    if (left <= 0 || capture.flooded()) return false;
    std::array<pollfd, 3> watched{{{child.handle(), POLLIN, 0},
                                   {capture.output_read_fd(), POLLIN, 0},
                                   {capture.errors_read_fd(), POLLIN, 0}}};
    // Without a handle (a kernel or filter that has none) look again every 20 ms.
    const auto most = child.handle() >= 0 ? left : std::min<decltype(left)>(left, 20);
    ::poll(watched.data(), watched.size(), static_cast<int>(std::min<decltype(left)>(most, 60'000)));
    capture.drain();
  }
  return true;
}

std::optional<std::string> read_failure(int fd, const CanaryOptions& options) {
  Failure failure{};
  if (::read(fd, &failure, sizeof failure) != static_cast<ssize_t>(sizeof failure)) return std::nullopt;
  failure.what[sizeof failure.what - 1] = '\0';
  return base::fault_from_errno(&failure.what[0], "for the canary " + options.canary, failure.error)
      .error()
      .message();
}

void prepare(Plan& plan, const CanaryOptions& options, const Capture& capture, int failure_fd) {
  plan.words = options.environment;
  if (!options.preload.empty()) plan.words.push_back("LD_PRELOAD=" + options.preload);
  plan.words.push_back(options.canary);
  for (std::string& word : plan.words) plan.environment.push_back(word.data());
  plan.arguments[0] = std::exchange(plan.environment.back(), nullptr);
  plan.output = capture.output_fd();
  plan.errors = capture.errors_fd();
  plan.failure = failure_fd;
  plan.parent = ::getpid();
}

}  // namespace

CanaryRun DirectRunner::run(const CanaryOptions& options) {
  auto capture = Capture::open(options.output_limit);
  if (!capture) return not_run(capture.error().message());
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return not_run("cannot make a pipe");
  const base::UniqueFd failure_read(ends[0]);
  base::UniqueFd failure_low(ends[1]);
  const base::UniqueFd failure_write(::fcntl(ends[1], F_DUPFD_CLOEXEC, 3));
  failure_low.reset();
  Plan plan;
  prepare(plan, options, *capture, failure_write.get());
  const pid_t pid = ::fork();
  if (pid < 0) return not_run(base::fault_from_errno("start", options.canary, errno).error().message());
  if (pid == 0) run_child(plan);

  Child child(pid);
  capture->close_write_ends();
  const bool ended = wait_for(child, *capture, options.time_limit);
  const int status = child.end();
  capture->drain();
  ::fcntl(failure_read.get(), F_SETFL, O_NONBLOCK);
  if (auto why = read_failure(failure_read.get(), options)) return not_run(std::move(*why));
  CanaryRun run;
  run.ending = !ended ? Ending::timed_out : WIFSIGNALED(status) ? Ending::killed : Ending::exited;
  run.status = WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status);
  run.flooded = capture->flooded();
  run.output = std::move(capture->output());
  run.errors = std::move(capture->errors());
  return run;
}

}  // namespace allocd::preflight
