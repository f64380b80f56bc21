// SPDX-License-Identifier: Apache-2.0
#include "observer/foreground_exporter.hpp"

#include <signal.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <system_error>
#include <utility>
#include <vector>

namespace allocd::observer {

namespace {

std::vector<std::string> make_arguments(const std::string& program, const Options& options) {
  std::vector<std::string> arguments{program, "--snapshot.socket=" + options.summary_socket_path};
  for (const auto& address : options.listen_addresses) arguments.push_back("--web.listen-address=" + address);
  return arguments;
}

// In the child. What a service manager told the observer is not for the exporter.
[[noreturn]] void become(std::vector<std::string>& arguments, pid_t parent) {
  ::prctl(PR_SET_PDEATHSIG, SIGTERM);
  if (::getppid() != parent) ::_exit(0);  // it ended before that was in force
  for (const char* name : {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "LISTEN_FDS", "LISTEN_PID"})
    ::unsetenv(name);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  std::vector<char*> argv;
  for (auto& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  ::execv(argv[0], argv.data());
  ::_exit(127);
}

}  // namespace

base::Result<std::unique_ptr<OwnSockets>> OwnSockets::make(Options& options) {
  if (!options.has_own_sockets) return nullptr;
  std::error_code error;
  const auto parent = std::filesystem::temp_directory_path(error);
  if (error) return base::fault("find", "a directory for sockets", error.message());
  std::string directory = (parent / "allocd-XXXXXX").string();
  if (::mkdtemp(directory.data()) == nullptr) return base::fault_from_errno("make", directory, errno);
  options.place_sockets(directory + "/snapshot.sock");
  return std::unique_ptr<OwnSockets>(new OwnSockets(std::move(directory)));
}

OwnSockets::~OwnSockets() {
  std::error_code ignored;
  std::filesystem::remove_all(directory_, ignored);
}

std::string find_exporter_program() {
  // The path as execve(2) was given it: getauxval(3).
  const auto* const own = reinterpret_cast<const char*>(::getauxval(AT_EXECFN));
  return std::filesystem::path(own != nullptr ? own : "allocd").replace_filename("allocd-exporter").string();
}

base::Result<std::unique_ptr<ForegroundExporter>> ForegroundExporter::start(const std::string& program,
                                                                            const Options& options,
                                                                            host::Journal& journal) {
  if (options.listen_addresses.empty()) return nullptr;
  if (::access(program.c_str(), X_OK) != 0)
    return base::fault_from_errno("serve metrics with", program, errno);
  auto arguments = make_arguments(program, options);
  const pid_t parent = ::getpid();
  const pid_t pid = ::fork();
  if (pid < 0) return base::fault_from_errno("start", program, errno);
  if (pid == 0) become(arguments, parent);
  base::UniqueFd handle(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  const int error = errno;
  const bool is_held = static_cast<bool>(handle);
  std::unique_ptr<ForegroundExporter> exporter(new ForegroundExporter(pid, std::move(handle), journal));
  if (!is_held) return base::fault_from_errno("watch", program, error);
  if (auto watched = exporter->watch(); !watched) return std::unexpected(watched.error());
  return exporter;
}

base::Result<void> ForegroundExporter::watch() {
  sd_event* loop = nullptr;
  if (const int error = sd_event_default(&loop); error < 0)
    return base::fault_from_errno("create", "the event loop", -error);
  loop_.reset(loop);
  sd_event_source* source = nullptr;
  const int error = sd_event_add_io(loop, &source, handle_.get(), EPOLLIN, &on_end, this);
  source_.reset(source);
  if (error < 0) return base::fault_from_errno("watch", "the exporter", -error);
  return {};
}

int ForegroundExporter::on_end(sd_event_source* source, int /*fd*/, std::uint32_t /*events*/, void* self) {
  auto& exporter = *static_cast<ForegroundExporter*>(self);
  exporter.journal_.log(host::Priority::error, "",
                        "The exporter has ended, see above; ending too, for nothing would serve the metrics.",
                        {});
  return sd_event_exit(sd_event_source_get_event(source), 1);
}

ForegroundExporter::~ForegroundExporter() {
  ::kill(pid_, SIGTERM);  // not waited for yet, so the number is still its own
  ::waitpid(pid_, nullptr, 0);
}

}  // namespace allocd::observer
