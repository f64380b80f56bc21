// SPDX-License-Identifier: Apache-2.0
#include "ctl/advice.hpp"

#include <algorithm>
#include <array>

namespace allocd::ctl {

namespace {

struct Words {
  policy::Reason reason;
  std::string_view meaning;
  std::string_view action;  // "{unit}" stands for the unit's name
};

using policy::Reason;

// One entry per reason, in the order of the enum.
constexpr std::array<Words, policy::kReasonNames.names.size()> kWords{{
    {Reason::none, "Every process of the unit uses the allocator that policy asks for.", "Nothing."},
    {Reason::no_policy, "No policy asks this unit for an allocator; it is observed only.",
     "Nothing. To ask for one, set `allocator:` for its service in the configuration and reload allocd."},
    {Reason::unit_not_found, "The configuration names a unit that systemd does not know.",
     "If the service should be here, install or enable its unit. If the name is a slip, correct the "
     "selector: "
     "`systemctl list-units --all` shows the names. Nothing else needs to be done; a unit that appears later "
     "is picked up."},
    {Reason::unit_masked, "The unit is masked: systemd refuses to start it.",
     "Nothing, if that is meant. Else `systemctl unmask {unit}`."},
    {Reason::unit_down, "The unit is loaded and has no process, so there is nothing to look at.",
     "Nothing, if that is meant. Else `systemctl status {unit}` and `journalctl -u {unit}` say why it is "
     "down."},
    {Reason::not_configured,
     "What is on disk does not make systemd set all that the policy asks for: the library, or a variable of "
     "it.",
     "`allocctl plan {unit}` shows what would be written, `sudo allocctl apply {unit}` writes it. Then "
     "`systemctl restart {unit}` when it may be interrupted."},
    {Reason::not_loaded, "The setting is on disk, but systemd still works with what it read before.",
     "`sudo allocctl apply {unit}` has systemd read it, and so does `systemctl daemon-reload`. Then "
     "`systemctl restart {unit}` when it may be interrupted."},
    {Reason::overridden, "Another setting, later in systemd's order, takes the preload away again.",
     "The environment above names each setting with its file and line, and the one that wins. `allocctl plan "
     "{unit}` says whether a drop-in can beat it: then `sudo allocctl apply {unit}`, else remove or correct "
     "it. Then `systemctl restart {unit}`."},
    {Reason::started_before,
     "The processes are older than the setting, or than one of its variables: they run with what was set "
     "before.",
     "`systemctl restart {unit}` when it may be interrupted."},
    {Reason::other_allocator, "The process uses another allocator, and the wanted one is not mapped at all.",
     "Find what brings the other library: an LD_PRELOAD set by a wrapper, or a library linked into the "
     "program. `allocctl show {unit}` names the file it comes from, `allocctl plan {unit}` what allocd could "
     "write against it."},
    {Reason::mapped_not_active,
     "The wanted library is in memory and idle: malloc resolves to another one first.",
     "Something puts another allocator in front, most often a program that prepends its own library to "
     "LD_PRELOAD before it starts workers (vLLM's CPU backend does, with libtcmalloc). Take that away, or "
     "ask "
     "for that allocator in the policy; then restart the unit. `allocctl show {unit}` names both files."},
    {Reason::preload_lost, "systemd passes the preload, and it did not reach the process.",
     "A wrapper that clears the environment (env -i, sudo, su, a container client) or a set-user-id program "
     "drops LD_PRELOAD; so does a path that does not exist in the service's root directory. Check ExecStart= "
     "in "
     "`systemctl cat {unit}` and the service's first lines in `journalctl -u {unit}`."},
    {Reason::unreachable,
     "The processes run where no [Service] setting of a unit here reaches them, in a container.",
     "`allocctl plan {unit}` says what fits the form it is started in: a quadlet can be written to, else set "
     "the preload in the image or with the container's own environment option. allocd goes on observing it."},
    {Reason::static_program, "The program has no dynamic linker, so no library can be preloaded into it.",
     "Use a dynamically linked build, or one that is linked with the wanted allocator; or exempt the service "
     "in the policy."},
    {Reason::not_permitted,
     "allocd was refused the right to read these processes, so it claims nothing of them.",
     "allocd.service needs CAP_SYS_PTRACE, and no security module may deny it: compare `systemctl show "
     "allocd -p "
     "AmbientCapabilities` with the shipped unit, and look for denials in the audit log."},
    {Reason::unreadable, "There is no evidence yet, or reading it failed.",
     "Wait for the next sample. If it stays so, `allocctl show {unit}` names the processes and `journalctl "
     "-u "
     "allocd` the failure."},
    {Reason::bus_unavailable, "allocd does not reach systemd over D-Bus, so systemd's view is missing.",
     "`systemctl status dbus` and `journalctl -u allocd`; allocd connects again by itself."},
    {Reason::overridden_by_wrapper,
     "systemd passes the preload, and a script between it and the process has set LD_PRELOAD anew.",
     "Look for LD_PRELOAD in the script that ExecStart= starts (`systemctl cat {unit}`) and in what it "
     "calls: have it put its own libraries behind the value it is given, or drop the line. Then restart the "
     "unit."},
    {Reason::overridden_by_runtime,
     "The wanted library is in memory and idle: the program itself has put another allocator before it.",
     "vLLM's CPU backend does so for its workers with libtcmalloc. Have the program leave it out, take the "
     "library it finds away, or ask for that allocator in the policy; then restart the unit. `allocctl show "
     "{unit}` names both files."},
    {Reason::tampered, "allocd's drop-in was edited by hand and does not do its work any more.",
     "allocd leaves an edited file alone. `allocctl plan {unit}` shows the difference; `allocctl apply "
     "--force {unit}` takes the file back, or move the edit to a drop-in of your own."},
    {Reason::fuse, "The unit did not live under allocd's drop-in, so the drop-in was taken back.",
     "`journalctl -u allocd-enforcer` has the unit's last lines. Mend the cause, or change the policy or the "
     "library; then `allocctl apply --retry {unit}`."},
    {Reason::reverted_by_hand, "An operator took allocd's drop-in back, and enforcement keeps away.",
     "Nothing, if that is meant. Else `allocctl apply {unit}`."},
}};

constexpr bool in_order() {
  for (std::size_t i = 0; i < kWords.size(); ++i) {
    if (kWords[i].reason != static_cast<Reason>(i) || kWords[i].action.empty()) return false;
  }
  return true;
}
static_assert(in_order());

std::string with_unit(std::string_view text, std::string_view unit) {
  constexpr std::string_view kMark = "{unit}";
  std::string out;
  for (auto at = text.find(kMark); at != std::string_view::npos; at = text.find(kMark)) {
    out.append(text.substr(0, at)).append(unit);
    text.remove_prefix(at + kMark.size());
  }
  return out.append(text);
}

}  // namespace

Advice advice_for(policy::Reason reason, std::string_view unit) {
  const auto& words = kWords.at(static_cast<std::size_t>(reason));
  return {std::string(words.meaning), with_unit(words.action, unit)};
}

std::size_t first_broken_link(const policy::Assessment& assessment) {
  const auto& chain = assessment.chain;
  const auto first = [&](policy::Verdict verdict) {
    return static_cast<std::size_t>(std::ranges::find(chain, verdict, &policy::Link::verdict) -
                                    chain.begin());
  };
  const std::size_t failing = first(policy::Verdict::fails);
  return failing < chain.size() ? failing : first(policy::Verdict::unknown);
}

bool is_settled(policy::State state) {
  return state == policy::State::compliant || state == policy::State::exempt ||
         state == policy::State::inactive;
}

}  // namespace allocd::ctl
