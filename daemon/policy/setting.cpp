// SPDX-License-Identifier: Apache-2.0
// Links 2 and 3: what is on disk, and what systemd made of it.
#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "allocator/kind.hpp"
#include "base/text.hpp"
#include "engine/engine.hpp"
#include "policy/assess.hpp"
#include "policy/preload.hpp"

namespace allocd::policy {

namespace {

using allocator::Kind;
using settings::Wanted;

std::string_view name_of(Kind kind) {
  return allocator::kKindNames.name(kind);
}

Link holds(std::string evidence) {
  return {Verdict::holds, std::move(evidence)};
}
Link fails(std::string evidence) {
  return {Verdict::fails, std::move(evidence)};
}
Link not_known(std::string evidence) {
  return {Verdict::unknown, std::move(evidence)};
}
Link not_applicable(std::string evidence) {
  return {Verdict::not_applicable, std::move(evidence)};
}

// Paths and values are the unit's: evidence stays one line whatever they hold.
std::string one_line(std::string_view text) {
  return base::escape_for_terminal(text);
}

std::string source_of(const UnitSetting& setting) {
  return setting.drop_in_loaded ? one_line(setting.drop_in_path) : "the unit's own Environment=";
}

std::string describe(const Preload& preload) {
  return preload.value.empty() ? "LD_PRELOAD is not set" : "LD_PRELOAD=" + one_line(preload.value);
}

SettingView decide_out_of_reach(const UnitSetting& setting) {
  const std::string why =
      setting.source == settings::SelectorKind::cgroup
          ? "a cgroup is observed, not a unit"
          : "ExecStart= starts a container client; its payload does not get the unit's environment";
  return {Setting::out_of_reach, 0, not_applicable(why), not_applicable(why)};
}

SettingView decide_asking(const UnitSetting& setting, const std::string& what) {
  std::string loaded = "systemd has it loaded";
  if (setting.has_environment_files) loaded += "; an EnvironmentFile= would win over it, and is not visible";
  if (setting.need_daemon_reload) loaded += "; unit files have changed since (daemon-reload pending)";
  return {Setting::asks, setting.loaded_at, holds(what), holds(std::move(loaded))};
}

// What systemd has in memory is not what lies on disk: ours may be there unread, or files may have changed.
std::optional<SettingView> decide_unread(const UnitSetting& setting) {
  const bool ours_is_unread = setting.drop_in_present && !setting.drop_in_loaded;
  if (!ours_is_unread && !setting.need_daemon_reload) return std::nullopt;
  SettingView view{Setting::not_loaded, setting.loaded_at,
                   not_known("unit files have changed since systemd read them"),
                   fails("systemd has not read them: daemon-reload is needed")};
  if (setting.drop_in_present) view.on_disk = holds(one_line(setting.drop_in_path) + " is on disk");
  return view;
}

// `any allocator library in LD_PRELOAD` is what stands against glibc.
SettingView decide_for_glibc(const UnitSetting& setting, const Preload& preload) {
  const auto kind = preload.is_unset ? std::nullopt : decide_preload_kind(preload.value);
  if (!kind) {
    return decide_asking(setting, preload.is_unset
                                      ? "UnsetEnvironment= removes LD_PRELOAD"
                                      : describe(preload) + ": no allocator library is preloaded");
  }
  if (auto unread = decide_unread(setting)) return *unread;
  const auto what =
      fmt::format("{} names {}, set by {}", describe(preload), name_of(*kind), source_of(setting));
  return {Setting::contradicts, setting.loaded_at, fails(what), fails("systemd has that loaded")};
}

SettingView decide_for_library(Kind wanted, const UnitSetting& setting, const Preload& preload) {
  const auto kind = decide_preload_kind(preload.value);
  const auto what = fmt::format("{} is set by {}", describe(preload), source_of(setting));
  if (kind == wanted) {
    if (!preload.is_unset) return decide_asking(setting, what);
    return {Setting::overridden, setting.loaded_at, holds(what),
            fails("UnsetEnvironment= removes LD_PRELOAD again")};
  }
  if (auto unread = decide_unread(setting)) return *unread;
  if (setting.drop_in_loaded) {
    return {Setting::overridden, setting.loaded_at, holds(one_line(setting.drop_in_path) + " is on disk"),
            fails(fmt::format("{} after every drop-in: a later setting overrides it", describe(preload)))};
  }
  if (kind) {
    return {
        Setting::contradicts, setting.loaded_at,
        fails(fmt::format("{} names {}, set by {}", describe(preload), name_of(*kind), source_of(setting))),
        fails("systemd has that loaded")};
  }
  std::string silent = describe(preload);
  silent += preload.value.empty() ? " by Environment=" : ": no allocator library is preloaded";
  if (setting.has_environment_files) silent += "; what an EnvironmentFile= sets is not visible";
  return {Setting::silent, setting.loaded_at, fails(std::move(silent)),
          not_known("there is nothing to load")};
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
    return {Setting::silent, 0, nothing, nothing};
  }
  if (setting.source == settings::SelectorKind::cgroup) return decide_out_of_reach(setting);
  if (!setting.bus_available) {
    const Link missing = not_known("systemd's view of the unit is missing");
    return {Setting::no_bus, 0, missing, missing};
  }
  const bool contained = std::ranges::any_of(
      setting.exec_start, [](const auto& argv) { return engine::is_container_client(argv); });
  if (contained) return decide_out_of_reach(setting);
  const Preload preload = decide_preload(setting.environment, setting.unset_environment);
  return kind == Kind::glibc ? decide_for_glibc(setting, preload)
                             : decide_for_library(*kind, setting, preload);
}

}  // namespace allocd::policy
