// SPDX-License-Identifier: Apache-2.0
#include "unitfile/machine.hpp"

#include <fmt/format.h>
#include <sys/utsname.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <utility>

#include "base/text.hpp"
#include "host/machine_files.hpp"
#include "unitfile/environment_file.hpp"
#include "unitfile/environment_lists.hpp"
#include "unitfile/unit_text.hpp"

namespace allocd::unitfile {

namespace {

namespace files = host::machine_files;

std::optional<std::string> read_word(const host::Root& root, const char* path) {
  const auto text = root.read_file(path);
  if (!text) return std::nullopt;
  return std::string(base::trim(*text));
}

using Words = std::map<std::string, std::string>;

std::optional<Words> read_words(const host::Root& root, const char* path) {
  const auto text = root.read_file(path);
  if (!text) return std::nullopt;
  Words words;
  for (const auto& assignment : parse_environment_file(*text).assignments)
    words[assignment.name] = assignment.value;
  return words;
}

// ConditionArchitecture= of systemd.unit(5) lists systemd's names.
std::optional<std::string> architecture_of(const utsname& names) {
  constexpr std::array<std::pair<std::string_view, std::string_view>, 6> kNames{
      {{"x86_64", "x86-64"},
       {"aarch64", "arm64"},
       {"ppc64le", "ppc64-le"},
       {"riscv64", "riscv64"},
       {"s390x", "s390x"},
       {"loongarch64", "loongarch64"}}};
  const auto* const found =
      std::ranges::find(kNames, std::string_view(static_cast<const char*>(names.machine)),
                        &std::pair<std::string_view, std::string_view>::first);
  if (found == kNames.end()) return std::nullopt;
  return std::string(found->second);
}

void add_os_release(const host::Root& root, std::map<char, std::string>& specifiers) {
  constexpr std::array<std::pair<char, const char*>, 6> kFields{{{'o', "ID"},
                                                                 {'w', "VERSION_ID"},
                                                                 {'W', "VARIANT_ID"},
                                                                 {'B', "BUILD_ID"},
                                                                 {'M', "IMAGE_ID"},
                                                                 {'A', "IMAGE_VERSION"}}};
  for (const char* path : files::kOsRelease) {
    const auto words = read_words(root, path);
    if (!words) continue;
    for (const auto& [specifier, field] : kFields) {
      const auto found = words->find(field);
      specifiers[specifier] = found == words->end() ? "" : found->second;
    }
    return;
  }
}

std::optional<std::string> read_pretty_name(const host::Root& root) {
  const auto words = read_words(root, files::kMachineInfo);
  if (!words) return std::nullopt;
  const auto found = words->find("PRETTY_HOSTNAME");
  if (found == words->end() || found->second.empty()) return std::nullopt;
  return found->second;
}

std::map<char, std::string> read_specifiers(const host::Root& root) {
  std::map<char, std::string> out;
  const auto set = [&](char specifier, std::optional<std::string> value) {
    if (value && !value->empty()) out[specifier] = std::move(*value);
  };
  set('m', read_word(root, files::kMachineId));
  if (auto boot = read_word(root, files::kBootId)) {
    std::erase(*boot, '-');
    set('b', std::move(boot));
  }
  utsname names{};
  if (::uname(&names) == 0) {
    set('a', architecture_of(names));
    set('v', static_cast<const char*>(names.release));
    const std::string whole = static_cast<const char*>(names.nodename);
    if (whole != "(none)") {
      set('H', whole);
      set('l', whole.substr(0, whole.find('.')));
      set('q', read_pretty_name(root).value_or(out['l']));
    }
  }
  add_os_release(root, out);
  return out;
}

std::vector<std::string> list_manager_files(const host::Root& root) {
  std::vector<std::string> paths;
  const auto* const main =
      std::ranges::find_if(files::kManagerSettings, [&](const char* path) { return root.exists(path); });
  if (main != files::kManagerSettings.end()) paths.emplace_back(*main);
  std::map<std::string, std::string> by_name;
  for (const char* directory : files::kManagerDropIns) {
    const auto names = root.list_directory(directory);
    if (!names) continue;
    for (const auto& name : *names) {
      if (name.ends_with(".conf")) by_name.emplace(name, fmt::format("{}/{}", directory, name));
    }
  }
  for (auto& [name, path] : by_name) paths.push_back(std::move(path));
  return paths;
}

// The manager's settings as if they were a service's, with every line in its place: DefaultEnvironment= is
// written as Environment= is.
SourceText to_service(const std::string& path, std::string_view text) {
  std::string out = "[Service]";
  std::uint32_t line = 1;
  for (const auto& assignment : parse_unit_text(text).assignments) {
    if (assignment.section != "Manager" || assignment.key != "DefaultEnvironment") continue;
    for (; line < assignment.line; ++line) out += '\n';
    out += "Environment=" + assignment.value;
  }
  return {path, out + "\n"};
}

std::map<std::string, Place> read_manager_places(const host::Root& root,
                                                 const std::map<char, std::string>& specifiers) {
  std::vector<SourceText> sources;
  for (const auto& path : list_manager_files(root)) {
    if (const auto text = root.read_file(path)) sources.push_back(to_service(path, *text));
  }
  std::map<std::string, Place> places;
  Specifiers known;
  known.values = specifiers;
  for (const auto& entry : list_environment_settings(sources, known).environment) {
    if (!entry.reset_by) places[entry.text] = entry.place;
  }
  return places;
}

}  // namespace

unsigned parse_systemd_version(std::string_view text) {
  if (text.starts_with('v')) text.remove_prefix(1);
  const auto number = base::parse_u64(text.substr(0, text.find_first_not_of("0123456789")));
  constexpr std::uint64_t kLargest = 100'000;
  return number && *number < kLargest ? static_cast<unsigned>(*number) : 0;
}

Machine read_machine(const host::Root& root, std::vector<std::string> manager_environment,
                     std::string_view version) {
  Machine machine{.manager_environment = std::move(manager_environment),
                  .systemd_version = parse_systemd_version(version),
                  .specifiers = read_specifiers(root),
                  .manager_places = {}};
  machine.manager_places = read_manager_places(root, machine.specifiers);
  return machine;
}

}  // namespace allocd::unitfile
