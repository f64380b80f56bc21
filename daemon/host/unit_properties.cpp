// SPDX-License-Identifier: Apache-2.0
#include "host/unit_properties.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>

namespace allocd::host {

namespace {

// Every reader returns more than 0 when it has read a value, else 0 or a negative errno value.

int read_string(sd_bus_message* reply, std::string& out) {
  const char* text = nullptr;
  const int result = sd_bus_message_read(reply, "s", &text);
  if (result > 0) out = text;
  return result;
}

int read_string_list(sd_bus_message* reply, std::vector<std::string>& out) {
  int result = sd_bus_message_enter_container(reply, 'a', "s");
  if (result <= 0) return result < 0 ? result : -EBADMSG;
  std::string text;
  while ((result = read_string(reply, text)) > 0) out.push_back(std::move(text));
  return result < 0 ? result : sd_bus_message_exit_container(reply);
}

template <std::string UnitFacts::* field>
int read_text(sd_bus_message* reply, UnitFacts& facts) {
  return read_string(reply, facts.*field);
}

template <std::vector<std::string> UnitFacts::* field>
int read_list(sd_bus_message* reply, UnitFacts& facts) {
  return read_string_list(reply, facts.*field);
}

template <std::uint32_t UnitFacts::* field>
int read_u32(sd_bus_message* reply, UnitFacts& facts) {
  return sd_bus_message_read_basic(reply, 'u', &(facts.*field));
}

template <std::uint64_t UnitFacts::* field>
int read_u64(sd_bus_message* reply, UnitFacts& facts) {
  return sd_bus_message_read_basic(reply, 't', &(facts.*field));
}

template <bool UnitFacts::* field>
int read_flag(sd_bus_message* reply, UnitFacts& facts) {
  int flag = 0;  // sd-bus reads a D-Bus boolean into an int
  const int result = sd_bus_message_read_basic(reply, 'b', &flag);
  facts.*field = flag != 0;
  return result;
}

// 16 bytes; all zero before the first start.
int read_invocation(sd_bus_message* reply, UnitFacts& facts) {
  const void* bytes = nullptr;
  std::size_t size = 0;
  const int result = sd_bus_message_read_array(reply, 'y', &bytes, &size);
  if (result < 0) return result;
  const auto* first = static_cast<const std::uint8_t*>(bytes);
  const bool set = size != 0 && std::any_of(first, first + size, [](std::uint8_t byte) { return byte != 0; });
  if (set && size != 16) return -EBADMSG;
  facts.invocation_id.clear();
  for (std::size_t i = 0; set && i < size; ++i) facts.invocation_id += fmt::format("{:02x}", first[i]);
  return 1;
}

// -1 is systemd's word for "not set".
int read_numa_policy(sd_bus_message* reply, UnitFacts& facts) {
  std::int32_t policy = -1;
  const int result = sd_bus_message_read_basic(reply, 'i', &policy);
  facts.numa_policy = policy < 0 ? std::nullopt : std::optional<int>(policy);
  return result;
}

// A bit for each id, the lowest bit of the first byte is id 0.
template <std::vector<unsigned> UnitFacts::* field>
int read_bits(sd_bus_message* reply, UnitFacts& facts) {
  constexpr std::size_t kMostBytes = 8192;
  const void* bytes = nullptr;
  std::size_t size = 0;
  const int result = sd_bus_message_read_array(reply, 'y', &bytes, &size);
  if (result < 0) return result;
  if (size > kMostBytes) return -EBADMSG;
  const auto* first = static_cast<const std::uint8_t*>(bytes);
  auto& ids = facts.*field;
  ids.clear();
  for (std::size_t bit = 0; bit < size * 8; ++bit) {
    if ((first[bit / 8] & (1U << (bit % 8))) != 0) ids.push_back(static_cast<unsigned>(bit));
  }
  return 1;
}

int read_environment_files(sd_bus_message* reply, UnitFacts& facts) {
  int result = sd_bus_message_enter_container(reply, 'a', "(sb)");
  if (result <= 0) return result < 0 ? result : -EBADMSG;
  const char* path = nullptr;
  int ignore_missing = 0;
  while ((result = sd_bus_message_read(reply, "(sb)", &path, &ignore_missing)) > 0) {
    facts.environment_files.push_back({.path = path, .ignore_missing = ignore_missing != 0});
  }
  return result < 0 ? result : sd_bus_message_exit_container(reply);
}

// source, destination, whether a missing source is ignored, mount flags
int read_bind_paths(sd_bus_message* reply, UnitFacts& facts) {
  int result = sd_bus_message_enter_container(reply, 'a', "(ssbt)");
  if (result <= 0) return result < 0 ? result : -EBADMSG;
  const char* source = nullptr;
  const char* destination = nullptr;
  while ((result = sd_bus_message_read(reply, "(ssbt)", &source, &destination, nullptr, nullptr)) > 0)
    facts.bind_paths.push_back({.source = source, .destination = destination});
  return result < 0 ? result : sd_bus_message_exit_container(reply);
}

// One command: path, argv, and eight numbers about its last run. With `@` in the unit file argv[0] is not
// the path; what is executed is the path.
int read_command(sd_bus_message* reply, std::vector<std::string>& argv) {
  std::string path;
  int result = read_string(reply, path);
  if (result > 0) result = read_string_list(reply, argv);
  if (result > 0) result = sd_bus_message_skip(reply, "bttttuii");
  if (argv.empty()) {
    argv.push_back(std::move(path));
  } else {
    argv.front() = std::move(path);
  }
  return result;
}

int read_exec_start(sd_bus_message* reply, UnitFacts& facts) {
  int result = sd_bus_message_enter_container(reply, 'a', "(sasbttttuii)");
  if (result <= 0) return result < 0 ? result : -EBADMSG;
  while ((result = sd_bus_message_enter_container(reply, 'r', "sasbttttuii")) > 0) {
    if (result = read_command(reply, facts.exec_start.emplace_back()); result < 0) return result;
    if (result = sd_bus_message_exit_container(reply); result < 0) return result;
  }
  return result < 0 ? result : sd_bus_message_exit_container(reply);
}

struct Property {
  std::string_view name;
  const char* signature;
  int (*read)(sd_bus_message* reply, UnitFacts& facts);
};

constexpr std::array kProperties{
    Property{"Id", "s", read_text<&UnitFacts::name>},
    Property{"LoadState", "s", read_text<&UnitFacts::load_state>},
    Property{"ActiveState", "s", read_text<&UnitFacts::active_state>},
    Property{"SubState", "s", read_text<&UnitFacts::sub_state>},
    Property{"UnitFileState", "s", read_text<&UnitFacts::unit_file_state>},
    Property{"FragmentPath", "s", read_text<&UnitFacts::fragment_path>},
    Property{"SourcePath", "s", read_text<&UnitFacts::source_path>},
    Property{"DropInPaths", "as", read_list<&UnitFacts::drop_in_paths>},
    Property{"InvocationID", "ay", read_invocation},
    Property{"ActiveEnterTimestamp", "t", read_u64<&UnitFacts::active_enter_usec>},
    Property{"InactiveExitTimestamp", "t", read_u64<&UnitFacts::inactive_exit_usec>},
    Property{"NeedDaemonReload", "b", read_flag<&UnitFacts::need_daemon_reload>},
    Property{"ControlGroup", "s", read_text<&UnitFacts::control_group>},
    Property{"MainPID", "u", read_u32<&UnitFacts::main_pid>},
    Property{"NRestarts", "u", read_u32<&UnitFacts::restarts>},
    Property{"ExecMainStartTimestamp", "t", read_u64<&UnitFacts::main_start_usec>},
    Property{"Result", "s", read_text<&UnitFacts::result>},
    Property{"ActiveEnterTimestampMonotonic", "t", read_u64<&UnitFacts::active_enter_monotonic>},
    Property{"ActiveExitTimestampMonotonic", "t", read_u64<&UnitFacts::active_exit_monotonic>},
    Property{"InactiveExitTimestampMonotonic", "t", read_u64<&UnitFacts::inactive_exit_monotonic>},
    Property{"ExecMainExitTimestampMonotonic", "t", read_u64<&UnitFacts::main_exit_monotonic>},
    Property{"Environment", "as", read_list<&UnitFacts::environment>},
    Property{"EnvironmentFiles", "a(sb)", read_environment_files},
    Property{"UnsetEnvironment", "as", read_list<&UnitFacts::unset_environment>},
    Property{"PassEnvironment", "as", read_list<&UnitFacts::pass_environment>},
    Property{"ExecStart", "a(sasbttttuii)", read_exec_start},
    Property{"RootDirectory", "s", read_text<&UnitFacts::root_directory>},
    Property{"RootImage", "s", read_text<&UnitFacts::root_image>},
    Property{"BindPaths", "a(ssbt)", read_bind_paths},
    Property{"BindReadOnlyPaths", "a(ssbt)", read_bind_paths},
    Property{"NoNewPrivileges", "b", read_flag<&UnitFacts::no_new_privileges>},
    Property{"Delegate", "b", read_flag<&UnitFacts::delegate>},
    Property{"NUMAPolicy", "i", read_numa_policy},
    Property{"NUMAMask", "ay", read_bits<&UnitFacts::numa_mask>},
    Property{"CPUAffinity", "ay", read_bits<&UnitFacts::cpu_affinity>},
};

std::unexpected<base::Fault> unreadable(std::string_view property, int result) {
  return base::fault_from_errno("read the property", property, result < 0 ? -result : EBADMSG);
}

// The value of the property `name`; the message stands before its variant.
base::Result<void> read_value(sd_bus_message* reply, std::string_view name, UnitFacts& facts) {
  const auto* const property = std::ranges::find(kProperties, name, &Property::name);
  int result = 0;
  if (property == kProperties.end()) {
    result = sd_bus_message_skip(reply, "v");
    if (result < 0) return unreadable(name, result);
    return {};
  }
  const char* signature = nullptr;
  result = sd_bus_message_peek_type(reply, nullptr, &signature);
  if (result <= 0 || signature == nullptr) return unreadable(name, result);
  if (std::string_view(signature) != property->signature) {
    return base::fault("read the property", name,
                       fmt::format("it has type {} where {} is promised", signature, property->signature));
  }
  result = sd_bus_message_enter_container(reply, 'v', property->signature);
  if (result > 0) result = property->read(reply, facts);
  if (result > 0) result = sd_bus_message_exit_container(reply);
  if (result <= 0) return unreadable(name, result);
  return {};
}

}  // namespace

base::Result<UnitFacts> parse_unit_properties(sd_bus_message* reply) {
  int result = sd_bus_message_enter_container(reply, 'a', "{sv}");
  if (result < 0) return unreadable("list", result);
  UnitFacts facts;
  while ((result = sd_bus_message_enter_container(reply, 'e', "sv")) > 0) {
    const char* name = nullptr;
    result = sd_bus_message_read(reply, "s", &name);
    if (result <= 0) return unreadable("name", result);
    if (auto value = read_value(reply, name, facts); !value) return std::unexpected(std::move(value.error()));
    result = sd_bus_message_exit_container(reply);
    if (result < 0) return unreadable(name, result);
  }
  if (result < 0) return unreadable("list", result);
  if (facts.name.empty()) return base::fault("read the property", "Id", "it is missing");
  if (facts.load_state.empty()) return base::fault("read the property", "LoadState", "it is missing");
  return facts;
}

}  // namespace allocd::host
