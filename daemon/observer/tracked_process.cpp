// SPDX-License-Identifier: Apache-2.0
#include "observer/tracked_process.hpp"

#include <fcntl.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <functional>
#include <utility>

#include "base/text.hpp"
#include "host/root.hpp"

namespace allocd::observer {

namespace {

// A wrapper script execs late and a dlopen comes later still; after that an image rarely changes its mind.
constexpr std::array<std::chrono::milliseconds, 2> kEarlyChecks{std::chrono::seconds(2),
                                                                std::chrono::seconds(28)};
// The stat of a process that sleeps stays the same to the letter: times, faults, sizes. What it does not tell
// of (locked memory, a few pages of a large process on a kernel that counts them per processor) is read again
// after so many samples.
constexpr unsigned kMaxStatusAge = 6;
constexpr Clock::time_point kNever = Clock::time_point::max();

ReadOutcome outcome_of(int error) {
  if (error == ENOENT || error == ESRCH || error == ENOTDIR) return ReadOutcome::gone;
  if (error == EACCES || error == EPERM) return ReadOutcome::not_permitted;
  return ReadOutcome::failed;
}

// Nothing for a thread that has ended, or is about to and has no memory any more.
std::optional<kernel::ImageKey> read_thread_image(int thread) {
  std::string text;
  if (host::read_file_into(thread, "stat", text) != 0) return std::nullopt;
  const auto stat = kernel::parse_process_stat(text);
  if (!stat || stat->state == 'Z' || stat->state == 'X' || stat->image.start_code == 0) return std::nullopt;
  return stat->image;
}

}  // namespace

std::expected<TrackedProcess, ReadOutcome> TrackedProcess::open(int proc, pid_t pid) {
  TrackedProcess process;
  process.pid_ = pid;
  process.directory_ =
      base::UniqueFd(::openat(proc, std::to_string(pid).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!process.directory_) return std::unexpected(outcome_of(errno));
  return process;
}

ReadOutcome TrackedProcess::read(std::string& buffer, Clock::time_point now) {
  if (const auto outcome = read_stat(buffer, now); outcome != ReadOutcome::ok) return outcome;
  if (!is_status_current()) {
    if (const auto outcome = read_status(buffer); outcome != ReadOutcome::ok) return outcome;
  }
  return ReadOutcome::ok;
}

bool TrackedProcess::is_status_current() {
  return !wants_placement_ && is_unchanged_ && status_age_ != 0 && status_age_++ < kMaxStatusAge;
}

ReadOutcome TrackedProcess::read_status(std::string& buffer) {
  status_age_ = 0;
  if (const int error = host::read_file_into(handle().directory, "status", buffer); error != 0)
    return outcome_of(error);
  const auto status = kernel::parse_process_status(buffer);
  if (!status) return ReadOutcome::failed;
  // It has given its memory back and is not yet a zombie.
  if (!status->has_memory) return ReadOutcome::gone;
  status_ = *status;
  status_age_ = 1;
  if (wants_placement_) {
    placement_ = kernel::parse_process_placement(buffer).value_or(kernel::ProcessPlacement{});
    wants_placement_ = false;
  }
  return ReadOutcome::ok;
}

ReadOutcome TrackedProcess::read_stat(std::string& buffer, Clock::time_point now) {
  if (!stat_) stat_ = base::UniqueFd(::openat(directory_.get(), "stat", O_RDONLY | O_CLOEXEC));
  if (!stat_) return outcome_of(errno);
  if (const int error = host::read_again_into(stat_.get(), buffer); error != 0) return outcome_of(error);
  const std::size_t hash = std::hash<std::string>{}(buffer);
  is_unchanged_ = hash == stat_hash_;
  if (is_unchanged_) return ReadOutcome::ok;
  const auto stat = kernel::parse_process_stat(buffer);
  if (!stat) return ReadOutcome::failed;
  if (stat->has_ended()) return ReadOutcome::gone;
  if (start_ticks_ == 0) start_ticks_ = stat->start_ticks;
  if (start_ticks_ != stat->start_ticks) return ReadOutcome::gone;
  if (!stat->has_lost_first_thread()) survivor_.reset();
  const auto image = stat->has_lost_first_thread() ? find_survivor() : stat->image;
  if (!image) return ReadOutcome::gone;
  if (stat->comm != comm_) {
    comm_ = stat->comm;
    want_title(now);
  }
  if (!(*image == image_)) start_over(*image, now);
  minor_faults_ = stat->minor_faults;
  major_faults_ = stat->major_faults;
  stat_hash_ = hash;
  return ReadOutcome::ok;
}

// execve: another program in the same process. Nothing known of the old one holds.
void TrackedProcess::start_over(const kernel::ImageKey& image, Clock::time_point now) {
  image_ = image;
  identification_.reset();
  evidence_step_ = 0;
  evidence_due_ = now;
  role_ = {engine::Role::starting, {}};
  titled_ = false;
  wants_placement_ = true;
  want_title(now);
}

std::optional<kernel::ImageKey> TrackedProcess::find_survivor() {
  if (survivor_) {
    if (const auto image = read_thread_image(survivor_.get())) return image;
    survivor_.reset();
  }
  const base::UniqueFd tasks(::openat(directory_.get(), "task", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  const auto names = host::list_directory(tasks.get());
  if (!names) return std::nullopt;
  for (const std::string& name : *names) {
    base::UniqueFd thread(::openat(tasks.get(), name.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    const auto image = thread ? read_thread_image(thread.get()) : std::nullopt;
    if (!image) continue;
    survivor_ = std::move(thread);
    survivor_id_ = static_cast<pid_t>(base::parse_u64(name).value_or(0));
    return image;
  }
  return std::nullopt;
}

void TrackedProcess::take_title(const std::string& command_line) {
  if (engine_ == engine::Engine::unknown)
    engine_ = engine::decide_engine(engine::split_cmdline(command_line));
  const engine::RoleClaim claim = engine::decide_role(command_line, comm_);
  // Sticky, because Ray and others change their title with every task. Two things may still replace a role:
  // a title of its own, where a forked child so far showed its parent's command line; and a rank learnt
  // later.
  const std::string_view first_word = std::string_view(command_line).substr(0, command_line.find('\0'));
  const bool is_titled = first_word.find("::") != std::string_view::npos;
  const bool is_first_title = is_titled && !titled_;
  const bool gains_rank = claim.role == role_.role && role_.ranks == engine::Ranks{};
  if (role_.role == engine::Role::starting || role_.role == engine::Role::other || is_first_title ||
      gains_rank) {
    role_ = claim;
    titled_ = titled_ || is_titled;
  }
  if (role_.role != engine::Role::starting) title_due_ = kNever;
}

void TrackedProcess::want_title(Clock::time_point now) {
  title_due_ = now;
  title_wait_ = std::chrono::milliseconds(0);
}

std::optional<Want> TrackedProcess::due(Clock::time_point now) const {
  if (now >= evidence_due_) return Want::evidence;
  if (now >= title_due_) return Want::title;
  return std::nullopt;
}

void TrackedProcess::schedule_next(Want asked, Clock::time_point now, const settings::Observe& pace) {
  if (asked == Want::evidence) {
    const bool is_early = evidence_step_ < kEarlyChecks.size();
    evidence_due_ = now + (is_early ? kEarlyChecks.at(evidence_step_) : pace.recheck_interval);
    ++evidence_step_;
    wants_placement_ = true;
  }
  if (title_due_ == kNever) return;
  title_wait_ = std::max(pace.interval, std::min(title_wait_ * 2, pace.recheck_interval));
  title_due_ = now + title_wait_;
}

bool TrackedProcess::take(const allocator::Identification& identification) {
  using allocator::Outcome;
  switch (identification.outcome) {
    case Outcome::ok:
    case Outcome::early:
      // About a program that has been replaced since: the next read is already due.
      if (!(identification.image == image_)) return false;
      break;
    case Outcome::gone:
    case Outcome::changed:
      return false;
    case Outcome::not_permitted:
    case Outcome::given_up:
    case Outcome::failed:
      // What was proved of this image stays proved; only say so when nothing was.
      if (identification_ && identification_->outcome == Outcome::ok) return false;
      break;
  }
  const bool is_new = !identification_ || identification_->outcome != identification.outcome ||
                      identification_->evidence.active != identification.evidence.active;
  identification_ = identification;
  return is_new;
}

}  // namespace allocd::observer
