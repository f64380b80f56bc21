// SPDX-License-Identifier: Apache-2.0
// Links 2 and 3: what is on disk, and what systemd made of it.
#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "allocator/kind.hpp"
#include "engine/engine.hpp"
#include "policy/assess.hpp"
#include "policy/desired.hpp"
#include "policy/links.hpp"
#include "policy/preload.hpp"
#include "policy/wanted_variables.hpp"

namespace allocd::policy {

namespace {

using allocator::Kind;
using settings::Wanted;

std::string_view name_of(Kind kind) {
  return allocator::kKindNames.name(kind);
}

// Who sets LD_PRELOAD for the unit, and to what.
struct Effective {
  Preload preload;
  std::string setter;         // a place, for people
  std::string remover;        // that of the UnsetEnvironment= which takes it away
  bool is_from_file = false;  // an EnvironmentFile= sets it: read at each start, never "loaded"
  bool is_ours = false;       // our own drop-in, or the file beside it, sets it
  bool is_known = false;      // from the files; else from systemd's Environment= alone
  std::vector<std::string> named;
};

Effective decide_from_systemd(const UnitSetting& setting) {
  Effective effective;
  effective.preload = decide_preload(setting.environment, setting.unset_environment);
  effective.setter = setting.drop_in_loaded ? one_line(setting.drop_in_path) : "the unit's own Environment=";
  effective.remover = "UnsetEnvironment=";
  effective.is_ours = setting.drop_in_loaded;
  effective.named = split_preload(effective.preload.value);
  return effective;
}

Effective decide_from_files(const UnitSetting& setting, const unitfile::Variable& variable) {
  Effective effective;
  effective.is_known = true;
  for (const auto& each : variable.contributions) {
    const auto names = split_preload(each.value);
    effective.named.insert(effective.named.end(), names.begin(), names.end());
    if (each.reset_by) continue;
    if (each.origin == unitfile::Origin::unset_environment) {
      if (each.wins) effective.remover = "UnsetEnvironment= at " + one_line(place_of(each));
      effective.preload.is_unset = effective.preload.is_unset || each.wins;
      continue;
    }
    effective.preload.value = each.value;
    effective.setter = one_line(place_of(each));
    effective.is_from_file = each.origin == unitfile::Origin::environment_file;
    effective.is_ours = is_our_path(setting, each.path);
  }
  return effective;
}

Effective decide_effective(const UnitSetting& setting) {
  auto loaded = decide_from_systemd(setting);
  if (!setting.files || value_of_environment(setting.files->variable) != loaded.preload.value) return loaded;
  return decide_from_files(setting, setting.files->variable);
}

std::string describe(const Preload& preload) {
  return preload.value.empty() ? "LD_PRELOAD is not set" : "LD_PRELOAD=" + one_line(preload.value);
}

// What may stand in files that we do not see.
std::string describe_unseen(const UnitSetting& setting) {
  if (!setting.files)
    return setting.has_environment_files ? "; an EnvironmentFile= would win over it, and is not visible" : "";
  if (setting.files->unread.empty()) return "";
  return "; " + one_line(setting.files->unread.front()) + " would win over it, and may not be read";
}

SettingView make_view(Setting what, const UnitSetting& setting, Link on_disk, Link loaded) {
  return {.setting = what,
          .loaded_at = setting.loaded_at,
          .on_disk = std::move(on_disk),
          .loaded = std::move(loaded),
          .named = {}};
}

SettingView decide_out_of_reach(const UnitSetting& setting) {
  const std::string why =
      setting.source == settings::SelectorKind::cgroup
          ? "a cgroup is observed, not a unit"
          : "ExecStart= starts a container client; its payload does not get the unit's environment";
  auto view = make_view(Setting::out_of_reach, setting, not_applicable(why), not_applicable(why));
  view.loaded_at = 0;
  return view;
}

SettingView decide_asking(const UnitSetting& setting, const Effective& effective, std::string what) {
  if (setting.is_tampered) what += "; " + one_line(setting.drop_in_path) + " was edited by hand";
  std::string loaded =
      effective.is_from_file ? "systemd reads that file at each start" : "systemd has it loaded";
  loaded += describe_unseen(setting);
  if (setting.need_daemon_reload) loaded += "; unit files have changed since (daemon-reload pending)";
  return make_view(Setting::asks, setting, holds(std::move(what)), holds(std::move(loaded)));
}

// What systemd has in memory is not what lies on disk: ours may be there unread, or files may have changed.
std::optional<SettingView> decide_unread(const UnitSetting& setting) {
  const bool ours_is_unread = setting.drop_in_present && !setting.drop_in_loaded;
  if (!ours_is_unread && !setting.need_daemon_reload) return std::nullopt;
  auto view =
      make_view(Setting::not_loaded, setting, not_known("unit files have changed since systemd read them"),
                fails("systemd has not read them: daemon-reload is needed"));
  if (setting.drop_in_present) view.on_disk = holds(one_line(setting.drop_in_path) + " is on disk");
  return view;
}

// Ours was edited, and what it says now is not what is wanted.
SettingView decide_tampered(const UnitSetting& setting, const Preload& preload) {
  return make_view(
      Setting::tampered, setting,
      fails(fmt::format("{} was edited by hand; it is left alone", one_line(setting.drop_in_path))),
      fails(describe(preload)));
}

// Gone from the disk, and still in systemd's memory: until its next daemon-reload.
SettingView decide_deleted(const UnitSetting& setting) {
  return make_view(Setting::deleted, setting,
                   fails(one_line(setting.drop_in_path) + " is gone from the disk"),
                   holds("systemd still has it loaded, until its next daemon-reload"));
}

// `any allocator library in LD_PRELOAD` is what stands against glibc.
SettingView decide_for_glibc(const UnitSetting& setting, const Effective& effective) {
  const auto& preload = effective.preload;
  const auto kind = preload.is_unset ? std::nullopt : decide_preload_kind(preload.value);
  if (!kind) {
    return decide_asking(setting, effective,
                         preload.is_unset ? effective.remover + " removes LD_PRELOAD"
                                          : describe(preload) + ": no allocator library is preloaded");
  }
  if (setting.is_tampered) return decide_tampered(setting, preload);
  if (auto unread = decide_unread(setting)) return *unread;
  const auto what =
      fmt::format("{} names {}, set by {}", describe(preload), name_of(*kind), effective.setter);
  return make_view(Setting::contradicts, setting, fails(what), fails("systemd has that loaded"));
}

// Our drop-in is loaded, and something that comes after it says otherwise.
SettingView decide_beaten(const UnitSetting& setting, const Effective& effective) {
  const auto& preload = effective.preload;
  std::string why = describe(preload) + " after every drop-in: a later setting overrides it";
  if (effective.is_known && !preload.value.empty())
    why = fmt::format("{}, set by {}, overrides it", describe(preload), effective.setter);
  return make_view(Setting::overridden, setting, holds(one_line(setting.drop_in_path) + " is on disk"),
                   fails(std::move(why)));
}

SettingView decide_for_library(Kind wanted, const UnitSetting& setting, const Effective& effective) {
  const auto& preload = effective.preload;
  const auto kind = decide_preload_kind(preload.value);
  const auto what = fmt::format("{} is set by {}", describe(preload), effective.setter);
  const bool is_gone = setting.drop_in_loaded && !setting.drop_in_present;
  if (kind == wanted && !preload.is_unset) {
    if (is_gone && effective.is_ours) return decide_deleted(setting);
    return decide_asking(setting, effective, what);
  }
  if (setting.is_tampered) return decide_tampered(setting, preload);
  if (kind == wanted) {
    return make_view(Setting::overridden, setting, holds(what),
                     fails(effective.remover + " removes LD_PRELOAD again"));
  }
  if (auto unread = decide_unread(setting)) return *unread;
  // One of ours that sets another allocator is of a former policy.
  const bool is_former = effective.is_known && effective.is_ours;
  if (setting.drop_in_loaded && !is_former) return decide_beaten(setting, effective);
  if (kind) {
    return make_view(
        Setting::contradicts, setting,
        fails(fmt::format("{} names {}, set by {}", describe(preload), name_of(*kind), effective.setter)),
        fails(effective.is_from_file ? "systemd reads that file at each start" : "systemd has that loaded"));
  }
  std::string silent = describe(preload);
  if (preload.value.empty()) {
    silent += effective.is_known ? " by the unit's files" : " by Environment=";
  } else {
    silent += ": no allocator library is preloaded";
  }
  if (!setting.files && setting.has_environment_files)
    silent += "; what an EnvironmentFile= sets is not visible";
  if (setting.files && !setting.files->unread.empty())
    silent += fmt::format("; what {} sets may not be read", one_line(setting.files->unread.front()));
  return make_view(Setting::silent, setting, fails(std::move(silent)), not_known("there is nothing to load"));
}

// What the variables come to tells where the preload alone has nothing to complain of.
void add_variables(const UnitSetting& setting, SettingView& view) {
  auto variables = decide_variables(setting);
  view.variables = variables.setting;
  view.wants_variables = !setting.wanted_variables.empty();
  view.start = setting.start;
  if (variables.setting == Setting::asks) return;
  if (view.setting == Setting::asks) {
    view.on_disk = std::move(variables.on_disk);
    view.loaded = std::move(variables.loaded);
  } else if (view.setting == Setting::silent) {
    view.on_disk.evidence += "; " + variables.on_disk.evidence;
    view.loaded = std::move(variables.loaded);
  }
}

}  // namespace

std::optional<Kind> wanted_kind(Wanted wanted) {
  switch (wanted) {
    case Wanted::any:
      return std::nullopt;
    case Wanted::glibc:
      return Kind::glibc;
    case Wanted::jemalloc:
      return Kind::jemalloc;
    case Wanted::tcmalloc:
      return Kind::tcmalloc;
    case Wanted::mimalloc:
      return Kind::mimalloc;
  }
  return std::nullopt;
}

SettingView decide_setting(Wanted wanted, const UnitSetting& setting) {
  const auto kind = wanted_kind(wanted);
  if (!kind) {
    const Link nothing = not_applicable("the policy asks for nothing");
    return {.setting = Setting::silent, .on_disk = nothing, .loaded = nothing, .named = {}};
  }
  if (setting.source == settings::SelectorKind::cgroup) return decide_out_of_reach(setting);
  if (!setting.bus_available) {
    const Link missing = not_known("systemd's view of the unit is missing");
    return {.setting = Setting::no_bus, .on_disk = missing, .loaded = missing, .named = {}};
  }
  const bool contained = !setting.is_quadlet && std::ranges::any_of(setting.exec_start, [](const auto& argv) {
    return engine::is_container_client(argv);
  });
  if (contained) return decide_out_of_reach(setting);
  auto effective = decide_effective(setting);
  auto view = kind == Kind::glibc ? decide_for_glibc(setting, effective)
                                  : decide_for_library(*kind, setting, effective);
  view.named = std::move(effective.named);
  view.starts_script = setting.starts_script;
  view.main_has_wanted = setting.main_has_wanted;
  add_variables(setting, view);
  return view;
}

}  // namespace allocd::policy
