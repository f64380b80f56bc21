// SPDX-License-Identifier: Apache-2.0
#include "enforcer/run.hpp"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <utility>

#include "enforcer/events.hpp"
#include "enforcer/lock.hpp"
#include "enforcer/session.hpp"
#include "host/owned_file.hpp"
#include "preflight/systemd_runner.hpp"
#include "settings/load.hpp"
#include "settings/trust.hpp"

namespace allocd::enforcer {

namespace {

using namespace std::chrono_literals;

constexpr int kFailure = 1;
constexpr int kBadConfiguration = 78;
constexpr auto kPatience = 30s;
// How often systemd is looked at while a unit settles; its signals bring the look forward.
constexpr auto kLook = 1s;

// A configuration that is not root's alone would let whoever can write it into every service.
base::Result<settings::Settings> load_trusted(const host::Root& root, const Options& options) {
  auto loaded = settings::load_settings(root, options.config_file, options.config_directory);
  if (!loaded) return base::fault("read", "the configuration", settings::render_problems(loaded.error()));
  auto paths = loaded->files;
  if (root.exists(options.config_directory)) paths.push_back(options.config_directory);
  const auto untrusted = settings::check_trusted(root, paths);
  if (!untrusted) return std::unexpected(untrusted.error());
  if (*untrusted) {
    return base::fault(
        "trust", (*untrusted)->path,
        fmt::format("{}; mend it with: {}", (*untrusted)->sentence(), (*untrusted)->next_step()));
  }
  return std::move(*loaded);
}

bool has_failed(const Report& report) {
  return !report.error.empty() || !report.reload_error.empty() ||
         std::ranges::any_of(report.items, [](const auto& one) { return !one.error.empty(); });
}

// One run. It may last for hours, standing by units that settle: what is asked for meanwhile is done by the
// configuration as it is then.
class Run {
 public:
  Run(const host::Root& root, const Options& options, const Mailbox& mailbox, host::Journal& journal)
      : root_(root),
        options_(options),
        mailbox_(mailbox),
        journal_(journal),
        runner_({.address = options.bus_address}) {}

  int go() {
    mailbox_.forget_old_reports();
    touched_ = touched_at();
    (void)has_new_request();
    begin(true);
    while (session_) {
      const bool is_busy = session_->look_after();
      if (is_busy) session_->wait(kLook);
      note_failure();
      const bool is_touched = touched_at() != touched_;
      const bool has_news = is_touched || has_new_request();
      if (!has_news && !is_busy) break;
      if (!has_news) continue;
      touched_ = touched_at();
      begin(is_touched);
    }
    return code_;
  }

 private:
  // Reads everything anew and does what there is to do. With a configuration that is refused, nothing but the
  // fuse goes on: it has nothing to do with what is asked for, and a service may be dying.
  void begin(bool enforces) {
    auto settings = load_trusted(root_, options_);
    if (!settings) {
      refuse_all(settings.error().message(), kBadConfiguration);
      if (!session_) (void)open({});
      return;
    }
    if (!open(std::move(*settings))) return;
    carry_out_requests();
    if (enforces) enforce();
    note_failure();
  }

  // A configuration that is gone altogether (a file system that is not mounted, half a deployment) is not
  // taken for the wish to undo everything; whoever wishes that says `allocctl revert --all`.
  void enforce() {
    if (settings_->files.empty() && session_->has_enforced()) {
      log_refused(journal_,
                  fmt::format("{} is not there, and what it enforced stays as it is; allocctl revert "
                              "--all takes it back",
                              options_.config_file));
      return fail(kBadConfiguration);
    }
    if (!session_->enforce()) fail(kFailure);
  }

  bool open(settings::Settings settings) {
    session_.reset();  // before what it refers to
    settings_ = std::make_unique<settings::Settings>(std::move(settings));
    auto session = Session::open(root_, *settings_,
                                 {.state_directory = options_.state_directory,
                                  .bus_address = options_.bus_address,
                                  .canary = options_.canary},
                                 runner_, journal_);
    if (!session) {
      refuse_all(session.error().message(), kFailure);
      return false;
    }
    session_ = std::move(*session);
    return true;
  }

  // One that cannot be taken out of the box is no reason to do it over and over.
  bool has_new_request() {
    bool is_new = false;
    for (auto& id : mailbox_.waiting()) is_new = seen_.insert(std::move(id)).second || is_new;
    return is_new;
  }

  void refuse_all(const std::string& why, int code) {
    fail(code);
    log_refused(journal_, why);
    for (const auto& request : mailbox_.pending()) {
      Report report;
      report.request = request;
      report.error = why;
      answer(report);
    }
  }

  void carry_out_requests() {
    for (const auto& request : mailbox_.pending()) {
      const Report report = session_->carry_out(request);
      if (has_failed(report)) fail(kFailure);
      answer(report);
    }
  }

  void answer(const Report& report) {
    const auto answered = mailbox_.answer(report);
    if (answered) return;
    journal_.log(host::Priority::error, "", answered.error().message(), {});
    mailbox_.withdraw(report.request.id);  // or it would be carried out for ever
    fail(kFailure);
  }

  void note_failure() {
    if (session_ && session_->has_failed()) fail(kFailure);
  }
  // The first one stays.
  void fail(int code) { code_ = code_ == 0 ? code : code_; }

  // When the observer last asked for a look; 0 when it never did.
  std::int64_t touched_at() const {
    constexpr std::int64_t kBillion = 1'000'000'000;
    const auto status = root_.status(options_.look_now);
    return status ? status->st_mtim.tv_sec * kBillion + status->st_mtim.tv_nsec : 0;
  }

  const host::Root& root_;
  const Options& options_;
  const Mailbox& mailbox_;
  host::Journal& journal_;
  preflight::SystemdRunner runner_;
  std::unique_ptr<settings::Settings> settings_;
  std::unique_ptr<Session> session_;
  std::int64_t touched_ = 0;
  std::set<std::string> seen_;  // ids of requests
  int code_ = 0;
};

}  // namespace

int run(const Options& options, host::Journal& journal) {
  const auto root = host::Root::open();
  if (!root) return log_refused(journal, root.error().message()), kFailure;
  const Mailbox mailbox(*root, options.run_directory);
  if (auto ready = mailbox.prepare(); !ready) return log_refused(journal, ready.error().message()), kFailure;
  const auto lock = take_lock(*root, options.state_directory, kPatience);
  if (!lock) return log_refused(journal, lock.error().message()), kFailure;
  return Run(*root, options, mailbox, journal).go();
}

}  // namespace allocd::enforcer
