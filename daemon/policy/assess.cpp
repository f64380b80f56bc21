// SPDX-License-Identifier: Apache-2.0
#include "policy/assess.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>

#include "allocator/classify.hpp"
#include "allocator/kind.hpp"
#include "base/text.hpp"

namespace allocd::policy {

namespace {

using allocator::Kind;
using allocator::Rung;
using settings::Wanted;

enum LinkIndex : std::size_t { kPolicy, kOnDisk, kLoaded, kStartedAfter, kResolved };

// A map of names says what is there, not what is used.
std::optional<Kind> known_malloc(const ProcessFacts& process) {
  const bool proven = process.rung == Rung::resolved || process.rung == Rung::fingerprint;
  if (!proven || process.active == Kind::unknown) return std::nullopt;
  return process.active;
}

// Whether a setting that systemd reads asks for the library, by its name or its kind.
bool is_named(const SettingView& view, Kind active, const std::string& path) {
  return std::ranges::any_of(view.named, [&](const std::string& entry) {
    return (!path.empty() && allocator::base_name(entry) == allocator::base_name(path)) ||
           (active != Kind::other && allocator::decide_kind_by_name(entry) == active);
  });
}

// A preload that none of the unit's settings asks for. An executable with a malloc of its own is none.
bool is_brought_along(const SettingView& view, Kind active, const ProcessFacts& process) {
  return allocator::decide_kind_by_name(process.active_path).has_value() &&
         !is_named(view, active, process.active_path);
}

Reason reason_of_wrong_malloc(Kind wanted, Kind active, const SettingView& view,
                              const ProcessFacts& process) {
  if (process.is_static) return Reason::static_program;
  const bool is_idle = process.wanted_is_mapped_idle;
  const Reason plain = is_idle ? Reason::mapped_not_active : Reason::other_allocator;
  if (wanted == Kind::glibc) return plain;
  // A shell whose own child still has what systemd set has not taken it away.
  const bool is_wrapped = view.starts_script && !view.main_has_wanted;
  if (active == Kind::glibc || active == Kind::musl) {
    if (is_idle) return plain;
    return is_wrapped ? Reason::overridden_by_wrapper : Reason::preload_lost;
  }
  if (!is_brought_along(view, active, process)) return plain;
  if (is_wrapped) return Reason::overridden_by_wrapper;
  if (is_idle) return Reason::overridden_by_runtime;
  return process.is_main ? plain : Reason::overridden_by_wrapper;
}

// What a process with the wrong malloc is told for its unit's setting; compliant: the setting is not to
// blame.
StateAndReason blame_setting(Setting setting) {
  switch (setting) {
    case Setting::silent:
    case Setting::contradicts:
    case Setting::deleted:
    case Setting::incomplete:
      return {State::not_applied, Reason::not_configured};
    case Setting::not_loaded:
      return {State::not_applied, Reason::not_loaded};
    case Setting::tampered:
      return {State::not_applied, Reason::tampered};
    case Setting::overridden:
      return {State::violation, Reason::overridden};
    case Setting::out_of_reach:
      return {State::not_enforceable, Reason::unreachable};
    case Setting::no_bus:
      return {State::unknown, Reason::bus_unavailable};
    case Setting::asks:
      break;
  }
  return {State::compliant, Reason::none};
}

// A process whose malloc is known and is not the wanted one.
StateAndReason judge_wrong(Kind wanted, Kind active, const SettingView& view, const ProcessFacts& process) {
  // No setting mends a program without a dynamic linker.
  if (process.is_static && view.setting != Setting::out_of_reach)
    return {State::violation, Reason::static_program};
  const auto blamed = blame_setting(view.setting);
  if (blamed.first != State::compliant) return blamed;
  if (process.started_at < view.loaded_at) return {State::pending_restart, Reason::started_before};
  return {State::violation, reason_of_wrong_malloc(wanted, active, view, process)};
}

// Whether it runs with the variables of before. Where the enforcer knows, its word counts more than times: a
// file that was lost and put back is younger than the process that has what it says.
bool has_old_variables(const SettingView& view, const ProcessFacts& process) {
  if (view.start == KnownStart::before) return view.setting == Setting::asks;
  if (view.start == KnownStart::after || !view.wants_variables) return false;
  return process.started_at < view.loaded_at;
}

// A process whose malloc is the wanted one: what else the policy sets for it.
StateAndReason judge_right(const SettingView& view, const ProcessFacts& process) {
  const auto blamed = blame_setting(view.variables);
  if (blamed.first != State::compliant) return blamed;
  if (has_old_variables(view, process)) return {State::pending_restart, Reason::started_before};
  return {State::compliant, Reason::none};
}

int severity(State state) {
  switch (state) {
    case State::violation:
      return 5;
    case State::pending_restart:
      return 4;
    case State::not_applied:
      return 3;
    case State::not_enforceable:
      return 2;
    case State::unknown:
      return 1;
    default:
      return 0;
  }
}

std::string library_name(const std::string& path, Kind kind) {
  return base::escape_for_terminal(path.empty() ? allocator::kKindNames.name(kind)
                                                : allocator::base_name(path));
}

std::string describe(const ProcessFacts& process) {
  return fmt::format("{} {}", engine::kRoleNames.name(process.role), process.pid);
}

// A process, and what it was judged to be.
struct Judged {
  const ProcessFacts* process = nullptr;
  StateAndReason is{State::compliant, Reason::none};
};

// What the processes of a unit come to, whatever their order.
struct Tally {
  std::size_t right = 0;    // wanted malloc
  std::size_t wrong = 0;    // another one, and known
  std::size_t not_yet = 0;  // not known yet, or still starting
  std::size_t not_permitted = 0;
  std::size_t unreadable = 0;                 // will not be known, or was not looked at
  const ProcessFacts* first_right = nullptr;  // smallest pid
  const ProcessFacts* oldest = nullptr;       // of those that started before the setting
  Judged worst;                               // of all that are not compliant
  Judged worst_wrong;                         // of those with another malloc

  [[nodiscard]] std::size_t known() const { return right + wrong; }
  [[nodiscard]] std::size_t counted() const { return known() + not_yet + not_permitted + unreadable; }
};

void keep_worse(Judged& worst, const ProcessFacts& process, StateAndReason judged) {
  const auto rank = [](const ProcessFacts* facts, StateAndReason is) {
    return std::tuple(-severity(is.first), static_cast<int>(is.second), facts->pid);
  };
  if (worst.process == nullptr || rank(&process, judged) < rank(worst.process, worst.is))
    worst = {&process, judged};
}

void note_bad(Tally& tally, const ProcessFacts& process, StateAndReason judged) {
  keep_worse(tally.worst, process, judged);
  const auto age = [](const ProcessFacts& facts) { return std::pair(facts.started_at, facts.pid); };
  if (judged.second == Reason::started_before &&
      (tally.oldest == nullptr || age(process) < age(*tally.oldest))) {
    tally.oldest = &process;
  }
}

void note_right(Tally& tally, const ProcessFacts& process, StateAndReason judged) {
  ++tally.right;
  if (tally.first_right == nullptr || process.pid < tally.first_right->pid) tally.first_right = &process;
  if (judged.first != State::compliant) note_bad(tally, process, judged);
}

void note_wrong(Tally& tally, const ProcessFacts& process, StateAndReason judged) {
  ++tally.wrong;
  keep_worse(tally.worst_wrong, process, judged);
  note_bad(tally, process, judged);
}

Tally count_processes(Wanted wanted, const SettingView& view, std::span<const ProcessFacts> processes) {
  Tally tally;
  for (const ProcessFacts& process : processes) {
    const auto judged = assess_process(wanted, view, process);
    const auto active = process.permitted ? known_malloc(process) : std::nullopt;
    if (judged.first == State::exempt) continue;
    if (active && active == wanted_kind(wanted)) {
      note_right(tally, process, judged);
    } else if (judged.second == Reason::not_permitted) {
      ++tally.not_permitted;
    } else if (!active && process.settled) {
      ++tally.unreadable;
    } else if (!active || judged.second == Reason::unreadable) {
      ++tally.not_yet;
    } else {
      note_wrong(tally, process, judged);
    }
  }
  return tally;
}

// Who took the preload away, where that can be told.
std::string_view describe_culprit(Reason reason, const ProcessFacts& process) {
  if (reason == Reason::overridden_by_runtime)
    return "; none of the unit's settings names it: the program puts it first itself";
  if (reason != Reason::overridden_by_wrapper) return "";
  return process.active_path.empty() || process.active == Kind::glibc || process.active == Kind::musl
             ? "; the script that ExecStart= starts does not pass LD_PRELOAD on"
             : "; none of the unit's settings names it: what was started in between sets LD_PRELOAD anew";
}

std::string describe_wrong(Kind wanted, const ProcessFacts& process) {
  const Kind active = process.active.value_or(Kind::unknown);
  std::string text =
      fmt::format("{}: malloc resolves to {}", describe(process), library_name(process.active_path, active));
  if (process.is_static) {
    text = fmt::format("{}: a static program with {}'s malloc, nothing can be preloaded", describe(process),
                       allocator::kKindNames.name(active));
  } else if (process.wanted_is_mapped_idle) {
    text += fmt::format("; {} is mapped and idle", library_name(process.idle_path, wanted));
  }
  return text;
}

std::string describe_counts(const Tally& tally) {
  std::string text = fmt::format("{} of {} processes", tally.right, tally.counted());
  if (tally.not_yet > 0) text += fmt::format(", {} not known yet", tally.not_yet);
  if (tally.unreadable > 0) text += fmt::format(", {} cannot be known", tally.unreadable);
  if (tally.not_permitted > 0) text += fmt::format(", {} may not be read", tally.not_permitted);
  return text;
}

Link decide_resolved(Kind wanted, const UnitSetting& setting, const Tally& tally) {
  const auto name = allocator::kKindNames.name(wanted);
  if (tally.wrong > 0) {
    const auto& [worst, is] = tally.worst_wrong;
    std::string text = describe_wrong(wanted, *worst);
    text += describe_culprit(is.second, *worst);
    if (is.second == Reason::preload_lost && !setting.root_directory.empty()) {
      text += "; the unit runs under RootDirectory=" + base::escape_for_terminal(setting.root_directory);
    }
    return {Verdict::fails, text + fmt::format(" ({} has malloc in {})", name, describe_counts(tally))};
  }
  if (tally.counted() == 0) return {Verdict::unknown, "no process of the service runs"};
  if (tally.right == 0 || tally.not_permitted > 0 || tally.unreadable > 0) {
    return {Verdict::unknown, fmt::format("{} has malloc in {}", name, describe_counts(tally))};
  }
  return {Verdict::holds,
          fmt::format("malloc resolves to {} in {}", library_name(tally.first_right->active_path, wanted),
                      describe_counts(tally))};
}

Link decide_started_after(const SettingView& view, const Tally& tally) {
  if (view.setting == Setting::out_of_reach) return {Verdict::not_applicable, view.on_disk.evidence};
  if (tally.known() == 0) return {Verdict::unknown, "no process is known well enough"};
  if (tally.oldest != nullptr) {
    const double before = view.loaded_at - tally.oldest->started_at;
    return {Verdict::fails,
            before > 0 ? fmt::format("{} started {:.0f} s before the setting was written",
                                     describe(*tally.oldest), before)
                       : fmt::format("{} runs under what its unit was started with, before allocd's drop-in",
                                     describe(*tally.oldest))};
  }
  if (tally.wrong == 0 && view.setting == Setting::asks && !view.wants_variables)
    return {Verdict::holds, "every process has it"};
  if (view.setting != Setting::asks || view.variables != Setting::asks)
    return {Verdict::unknown, "no loaded setting to compare with"};
  if (tally.wrong == 0 && view.loaded_at <= 0)
    return {Verdict::holds, "no file tells that it was set after the processes started"};
  if (view.loaded_at <= 0) return {Verdict::unknown, "when the setting was written is not known"};
  return {Verdict::holds, "every process started after the setting was written"};
}

// Nothing systemd sets asks for the wanted malloc. If every process has it all the same, nothing needs to.
void settle_silence(const SettingView& view, const Tally& tally, Assessment& result) {
  if (tally.wrong > 0 || tally.counted() == 0 || view.variables != Setting::asks) return;
  auto& chain = result.chain;
  if (tally.right == 0) {
    chain[kOnDisk].verdict = Verdict::unknown;
    return;
  }
  for (const auto link : {kOnDisk, kLoaded}) chain[link].verdict = Verdict::not_applicable;
  chain[kLoaded].evidence = "not needed: the processes have it by other means";
  if (tally.oldest == nullptr) chain[kStartedAfter] = chain[kLoaded];
}

StateAndReason decide_inactive(const UnitSetting& setting) {
  if (setting.load_state == "not-found") return {State::inactive, Reason::unit_not_found};
  if (setting.load_state == "masked") return {State::inactive, Reason::unit_masked};
  return {State::inactive, Reason::unit_down};
}

StateAndReason decide_state(const UnitSetting& setting, const SettingView& view, const Tally& tally,
                            bool any_process) {
  if (tally.worst.process != nullptr) return tally.worst.is;
  if (!any_process && setting.source == settings::SelectorKind::cgroup)
    return {State::inactive, Reason::unit_down};
  if (!any_process && view.setting != Setting::no_bus) return decide_inactive(setting);
  // Only shims are left to see: the payload is elsewhere.
  if (tally.counted() == 0 && view.setting == Setting::out_of_reach) {
    return {State::not_enforceable, Reason::unreachable};
  }
  // Where no setting reaches or is needed, the processes speak for themselves.
  const bool is_needed = view.setting != Setting::silent && view.setting != Setting::out_of_reach;
  const auto blamed = blame_setting(view.setting);
  if (is_needed && blamed.first != State::compliant) return blamed;
  if (const auto lacks = blame_setting(view.variables); lacks.first != State::compliant) return lacks;
  if (tally.not_permitted > 0) return {State::unknown, Reason::not_permitted};
  if (tally.right == 0 || tally.unreadable > 0) return {State::unknown, Reason::unreadable};
  return {State::compliant, Reason::none};
}

// While nothing else asks for the preload, that ours was taken back is what there is to say.
void note_rollback(const UnitSetting& setting, const SettingView& view, Assessment& result) {
  const bool speaks_for_itself = view.setting == Setting::asks || view.setting == Setting::overridden ||
                                 view.setting == Setting::no_bus || view.setting == Setting::out_of_reach;
  const bool is_absent = result.reason == Reason::unit_not_found || result.reason == Reason::unit_masked;
  if (setting.rolled_back.empty() || speaks_for_itself || is_absent) return;
  result.state = State::rolled_back;
  result.reason = setting.reverted_by_hand ? Reason::reverted_by_hand : Reason::fuse;
  result.chain[kOnDisk] = {
      Verdict::fails, "allocd's drop-in was taken back: " + base::escape_for_terminal(setting.rolled_back)};
}

Assessment make_exempt() {
  Assessment result{.state = State::exempt, .reason = Reason::no_policy, .chain = {}};
  result.chain.fill({Verdict::not_applicable, "the policy asks for nothing"});
  result.chain[kPolicy].verdict = Verdict::fails;
  return result;
}

}  // namespace

StateAndReason assess_process(Wanted wanted, const SettingView& view, const ProcessFacts& process) {
  const auto kind = wanted_kind(wanted);
  if (!kind || process.role == engine::Role::container_shim) return {State::exempt, Reason::no_policy};
  if (!process.permitted) return {State::unknown, Reason::not_permitted};
  const auto active = known_malloc(process);
  if (!active) return {State::unknown, Reason::unreadable};
  if (*active == *kind) return judge_right(view, process);
  if (process.role == engine::Role::starting) return {State::unknown, Reason::unreadable};
  return judge_wrong(*kind, *active, view, process);
}

StateAndReason assess_process(Wanted wanted, const UnitSetting& setting, const ProcessFacts& process) {
  return assess_process(wanted, decide_setting(wanted, setting), process);
}

Assessment assess_unit(Wanted wanted, const UnitSetting& setting, std::span<const ProcessFacts> processes) {
  const auto kind = wanted_kind(wanted);
  if (!kind) return make_exempt();
  const SettingView view = decide_setting(wanted, setting);
  Tally tally = count_processes(wanted, view, processes);
  tally.unreadable += static_cast<std::size_t>(setting.unseen);
  Assessment result;
  std::tie(result.state, result.reason) =
      decide_state(setting, view, tally, !processes.empty() || setting.unseen > 0);
  result.chain[kPolicy] = {Verdict::holds,
                           fmt::format("the policy asks for {}", settings::kWantedNames.name(wanted))};
  result.chain[kOnDisk] = view.on_disk;
  result.chain[kLoaded] = view.loaded;
  result.chain[kStartedAfter] = decide_started_after(view, tally);
  result.chain[kResolved] = decide_resolved(*kind, setting, tally);
  if (view.setting == Setting::silent) settle_silence(view, tally, result);
  note_rollback(setting, view, result);
  return result;
}

}  // namespace allocd::policy
