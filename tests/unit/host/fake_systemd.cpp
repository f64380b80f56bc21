// SPDX-License-Identifier: Apache-2.0
#include "fake_systemd.hpp"

#include <algorithm>
#include <cstdlib>
#include <utility>

#include "base/text.hpp"
#include "support/catch.hpp"

namespace allocd::test {

namespace {

constexpr const char* kName = "org.freedesktop.systemd1";
constexpr const char* kPath = "/org/freedesktop/systemd1";
constexpr const char* kManager = "org.freedesktop.systemd1.Manager";
constexpr const char* kUnitPrefix = "/org/freedesktop/systemd1/unit";

std::string path_of(const std::string& name) {
  char* path = nullptr;
  REQUIRE(sd_bus_path_encode(kUnitPrefix, name.c_str(), &path) >= 0);
  std::string result = path;
  std::free(path);
  return result;
}

std::string name_of(const char* path) {
  char* name = nullptr;
  REQUIRE(sd_bus_path_decode(path, kUnitPrefix, &name) > 0);
  std::string result = name;
  std::free(name);
  return result;
}

void append_string(sd_bus_message* reply, const char* name, const std::string& value) {
  sd_bus_message_append(reply, "{sv}", name, "s", value.c_str());
}

void append_exec_start(sd_bus_message* reply, const std::vector<std::string>& argv) {
  sd_bus_message_open_container(reply, 'e', "sv");
  sd_bus_message_append(reply, "s", "ExecStart");
  sd_bus_message_open_container(reply, 'v', "a(sasbttttuii)");
  sd_bus_message_open_container(reply, 'a', "(sasbttttuii)");
  sd_bus_message_open_container(reply, 'r', "sasbttttuii");
  sd_bus_message_append(reply, "s", argv.front().c_str());
  sd_bus_message_open_container(reply, 'a', "s");
  sd_bus_message_append(reply, "s", "argv-zero");
  for (auto word = argv.begin() + 1; word != argv.end(); ++word)
    sd_bus_message_append(reply, "s", word->c_str());
  sd_bus_message_close_container(reply);
  sd_bus_message_append(reply, "bttttuii", 0, std::uint64_t{1}, std::uint64_t{2}, std::uint64_t{3},
                        std::uint64_t{4}, std::uint32_t{5}, 6, 7);
  for (int level = 0; level < 4; ++level) sd_bus_message_close_container(reply);
}

void append_unit(sd_bus_message* reply, const std::string& id, const FakeUnit& unit) {
  append_string(reply, "Id", id);
  append_string(reply, "Description", "not of interest");
  append_string(reply, "LoadState", unit.load_state);
  append_string(reply, "ActiveState", unit.active_state);
  sd_bus_message_append(reply, "{sv}", "DropInPaths", "as", 2, "/etc/a.conf", "/etc/zz-allocd.conf");
  sd_bus_message_append(reply, "{sv}", "NeedDaemonReload", "b", 1);
  sd_bus_message_append(reply, "{sv}", "ActiveEnterTimestamp", "t", std::uint64_t{1'700'000'000'000'000});
  sd_bus_message_append(reply, "{sv}", "InvocationID", "ay", 16, 0xab, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12,
                        13, 14, 0xff);
  sd_bus_message_append(reply, "{sv}", "NUMAPolicy", "i", unit.numa_policy);
  sd_bus_message_append(reply, "{sv}", "NUMAMask", "ay", 1, 0x02);
  sd_bus_message_append(reply, "{sv}", "CPUAffinity", "ay", 2, 0x81, 0x01);
  append_string(reply, "ControlGroup", "/system.slice/" + id);
  if (unit.wrong_type) {
    append_string(reply, "MainPID", "one hundred");
  } else {
    sd_bus_message_append(reply, "{sv}", "MainPID", "u", unit.main_pid);
  }
  sd_bus_message_append(reply, "{sv}", "Environment", "as", 1, "LD_PRELOAD=/usr/lib/libjemalloc.so.2");
  sd_bus_message_append(reply, "{sv}", "EnvironmentFiles", "a(sb)", 2, "/etc/default/a", 1, "/etc/default/b",
                        0);
  sd_bus_message_append(reply, "{sv}", "BindPaths", "a(ssbt)", 1, "/srv/models", "/models", 0,
                        std::uint64_t{16384});
  sd_bus_message_append(reply, "{sv}", "BindReadOnlyPaths", "a(ssbt)", 1, "/usr/lib", "/usr/lib", 1,
                        std::uint64_t{0});
  append_exec_start(reply, unit.argv);
}

}  // namespace

FakeSystemd::FakeSystemd(sd_event* loop, std::string address) : loop_(loop), address_(std::move(address)) {
  connect();
}

void FakeSystemd::connect() {
  sd_bus* bus = nullptr;
  REQUIRE(sd_bus_new(&bus) >= 0);
  bus_.reset(bus);
  REQUIRE(sd_bus_set_address(bus, address_.c_str()) >= 0);
  REQUIRE(sd_bus_set_bus_client(bus, 1) >= 0);
  REQUIRE(sd_bus_start(bus) >= 0);
  sd_bus_slot* slot = nullptr;
  REQUIRE(sd_bus_add_filter(bus, &slot, &FakeSystemd::on_message, this) >= 0);
  filter_.reset(slot);
  take_name();
  REQUIRE(sd_bus_attach_event(bus, loop_, SD_EVENT_PRIORITY_NORMAL) >= 0);
}

void FakeSystemd::disconnect() {
  waiting_.clear();
  filter_.reset();
  bus_.reset();
}

void FakeSystemd::release_name() {
  REQUIRE(sd_bus_release_name(bus_.get(), kName) >= 0);
}
void FakeSystemd::take_name() {
  REQUIRE(sd_bus_request_name(bus_.get(), kName, 0) >= 0);
}

int FakeSystemd::on_message(sd_bus_message* message, void* self, sd_bus_error* /*error*/) {
  return static_cast<FakeSystemd*>(self)->answer(message);
}

int FakeSystemd::answer(sd_bus_message* call) {
  if (sd_bus_message_is_method_call(call, "org.freedesktop.DBus.Properties", "GetAll") > 0) {
    return answer_get_all(call);
  }
  if (load_usec != 0 && sd_bus_message_is_method_call(call, "org.freedesktop.DBus.Properties", "Get") > 0) {
    return sd_bus_reply_method_return(call, "v", "t", load_usec);
  }
  if (sd_bus_message_is_method_call(call, kManager, "Subscribe") > 0) {
    client = sd_bus_message_get_sender(call);
    if (++subscriptions > 1) {
      return sd_bus_reply_method_errorf(call, "org.freedesktop.systemd1.AlreadySubscribed", "again");
    }
    return sd_bus_reply_method_return(call, nullptr);
  }
  if (sd_bus_message_is_method_call(call, kManager, "ListUnits") > 0) return reply_list(call, {"*"});
  if (sd_bus_message_is_method_call(call, kManager, "ListUnitsByPatterns") > 0) {
    std::vector<std::string> patterns;
    sd_bus_message_skip(call, "as");
    sd_bus_message_enter_container(call, 'a', "s");
    for (const char* text = nullptr; sd_bus_message_read_basic(call, 's', &text) > 0;)
      patterns.emplace_back(text);
    return reply_list(call, patterns);
  }
  return 0;
}

int FakeSystemd::answer_get_all(sd_bus_message* call) {
  const std::string name = name_of(sd_bus_message_get_path(call));
  ++reads[name];
  if (!held.contains(name)) return reply_properties(call, name);
  waiting_[name].emplace_back(sd_bus_message_ref(call));
  std::size_t now = 0;
  for (const auto& [unit, calls] : waiting_) now += calls.size();
  most_held = std::max(most_held, now);
  return 1;
}

void FakeSystemd::release_held(const std::string& name) {
  held.erase(name);
  for (const auto& call : waiting_[name]) reply_properties(call.get(), name);
  waiting_.erase(name);
}

int FakeSystemd::reply_properties(sd_bus_message* call, const std::string& name) {
  FakeUnit unit{.load_state = "not-found", .active_state = "inactive", .main_pid = 0, .in_memory = false};
  if (const auto known = units.find(name); known != units.end()) unit = known->second;
  std::string id = name;
  if (!unit.alias_of.empty()) {
    id = unit.alias_of;
    unit = units.at(id);
  }
  if (unit.refused) return sd_bus_reply_method_errorf(call, SD_BUS_ERROR_ACCESS_DENIED, "not for you");
  sd_bus_message* raw = nullptr;
  REQUIRE(sd_bus_message_new_method_return(call, &raw) >= 0);
  const allocd::host::MessageHandle reply(raw);
  REQUIRE(sd_bus_message_open_container(raw, 'a', "{sv}") >= 0);
  append_unit(raw, id, unit);
  REQUIRE(sd_bus_message_close_container(raw) >= 0);
  const int result = sd_bus_send(bus_.get(), raw, nullptr);
  if (!unit.in_memory) {
    emit_new(id);
    emit_removed(id);
  }
  return result;
}

int FakeSystemd::reply_list(sd_bus_message* call, const std::vector<std::string>& patterns) {
  ++lists;
  if (hold_lists) {
    waiting_["list"].emplace_back(sd_bus_message_ref(call));
    return 1;
  }
  sd_bus_message* raw = nullptr;
  REQUIRE(sd_bus_message_new_method_return(call, &raw) >= 0);
  const allocd::host::MessageHandle reply(raw);
  sd_bus_message_open_container(raw, 'a', "(ssssssouso)");
  for (const auto& [name, unit] : units) {
    const bool listed = std::ranges::any_of(
        patterns, [&](const std::string& pattern) { return base::matches_glob(pattern, name); });
    if (!listed || !unit.in_memory || !unit.alias_of.empty()) continue;
    sd_bus_message_append(raw, "(ssssssouso)", name.c_str(), "", unit.load_state.c_str(),
                          unit.active_state.c_str(), "", "", path_of(name).c_str(), 0U, "", "/");
  }
  sd_bus_message_close_container(raw);
  return sd_bus_send(bus_.get(), raw, nullptr);
}

void FakeSystemd::send(sd_bus_message* signal) {
  const allocd::host::MessageHandle owned(signal);
  REQUIRE(sd_bus_send(bus_.get(), signal, nullptr) >= 0);
}

void FakeSystemd::emit_unit(const char* member, const std::string& name) {
  sd_bus_message* signal = nullptr;
  REQUIRE(sd_bus_message_new_signal(bus_.get(), &signal, kPath, kManager, member) >= 0);
  sd_bus_message_append(signal, "so", name.c_str(), path_of(name).c_str());
  send(signal);
}

void FakeSystemd::emit_changed(const std::string& name) {
  for (const char* interface : {"org.freedesktop.systemd1.Service", "org.freedesktop.systemd1.Unit"}) {
    sd_bus_message* signal = nullptr;
    REQUIRE(sd_bus_message_new_signal(bus_.get(), &signal, path_of(name).c_str(),
                                      "org.freedesktop.DBus.Properties", "PropertiesChanged") >= 0);
    sd_bus_message_append(signal, "sa{sv}as", interface, 0, 0);
    send(signal);
  }
}

void FakeSystemd::emit_job_removed(const std::string& name) {
  sd_bus_message* signal = nullptr;
  REQUIRE(sd_bus_message_new_signal(bus_.get(), &signal, kPath, kManager, "JobRemoved") >= 0);
  sd_bus_message_append(signal, "uoss", 7U, "/org/freedesktop/systemd1/job/7", name.c_str(), "done");
  send(signal);
}

void FakeSystemd::emit_reloading(bool active) {
  sd_bus_message* signal = nullptr;
  REQUIRE(sd_bus_message_new_signal(bus_.get(), &signal, kPath, kManager, "Reloading") >= 0);
  sd_bus_message_append(signal, "b", static_cast<int>(active));
  send(signal);
}

void FakeSystemd::emit_unit_files_changed() {
  sd_bus_message* signal = nullptr;
  REQUIRE(sd_bus_message_new_signal(bus_.get(), &signal, kPath, kManager, "UnitFilesChanged") >= 0);
  send(signal);
}

}  // namespace allocd::test
