// SPDX-License-Identifier: Apache-2.0
#include <malloc.h>
#include <signal.h>
#include <sys/resource.h>

#include <cstdio>
#include <string>
#include <utility>
#include <variant>

#include "host/journal.hpp"
#include "host/message_id.hpp"
#include "observer/foreground_exporter.hpp"
#include "observer/observer.hpp"
#include "observer/options.hpp"
#include "settings/load.hpp"

namespace {

using namespace allocd;

constexpr int kFailure = 1;
constexpr int kBadConfiguration = 78;  // EX_CONFIG of sysexits(3); the unit does not restart on it

// One arena for all threads, and large buffers straight back to the kernel: we watch for others who do not.
void set_up_malloc() {
  mallopt(M_ARENA_MAX, 1);
  mallopt(M_MMAP_THRESHOLD, 128 * 1024);
  mallopt(M_TRIM_THRESHOLD, 256 * 1024);
}

// Two descriptors per watched process are held open.
void raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  static_cast<void>(::setrlimit(RLIMIT_NOFILE, &limit));
}

// Before any thread starts: they inherit it, and the loop alone takes these signals.
void block_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int number : {SIGHUP, SIGTERM, SIGINT}) sigaddset(&signals, number);
  sigprocmask(SIG_BLOCK, &signals, nullptr);
  ::signal(SIGPIPE, SIG_IGN);
}

int fail(host::Journal& journal, const base::Fault& fault) {
  journal.log(host::Priority::error, "", fault.message() + ".", {});
  return kFailure;
}

int run(observer::Options options) {
  host::Journal& journal = host::process_journal();
  auto root = host::Root::open();
  if (!root) return fail(journal, root.error());
  auto settings = settings::load_settings(*root, options.config_file, options.config_directory);
  if (!settings) {
    const std::string problems = settings::render_problems(settings.error());
    journal.log(host::Priority::error, host::message_id::kConfigRejected,
                "The configuration has errors; not starting.\n" + problems,
                {{"ALLOCD_CONFIG", options.config_file}});
    return kBadConfiguration;
  }
  const auto sockets = observer::OwnSockets::make(options);
  if (!sockets) return fail(journal, sockets.error());
  if (*sockets) {
    journal.log(host::Priority::info, "", "Snapshots: allocctl --socket=" + options.socket_path + " status",
                {});
  }
  const auto exporter =
      observer::ForegroundExporter::start(observer::find_exporter_program(), options, journal);
  if (!exporter) return fail(journal, exporter.error());
  observer::SnapshotBoard board;
  observer::Observer observer(options, std::move(*settings), std::move(*root), journal, board);
  auto code = observer.run();
  if (!code) return fail(journal, code.error());
  if (options.once && board.document()) std::printf("%s\n", board.document()->c_str());
  return *code;
}

}  // namespace

int main(int argc, char** argv) {
  set_up_malloc();
  raise_descriptor_limit();
  block_signals();
  auto parsed = observer::parse_options(argc, argv);
  if (const int* code = std::get_if<int>(&parsed)) return *code;
  const auto& options = std::get<observer::Options>(parsed);
  if (options.verbose) host::set_max_priority(host::Priority::debug);
  return run(options);
}
