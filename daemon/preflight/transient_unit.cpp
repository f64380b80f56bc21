// SPDX-License-Identifier: Apache-2.0
#include "preflight/transient_unit.hpp"

#include <fmt/format.h>
#include <poll.h>
#include <signal.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "host/bus_connection.hpp"
#include "host/systemd_interface.hpp"

namespace allocd::preflight {

namespace {

using Clock = std::chrono::steady_clock;

constexpr const char* kManagerPath = "/org/freedesktop/systemd1";
constexpr const char* kManager = "org.freedesktop.systemd1.Manager";
constexpr const char* kService = "org.freedesktop.systemd1.Service";
constexpr const char* kProperties = "org.freedesktop.DBus.Properties";

constexpr std::uint64_t kMemoryMax = std::uint64_t{1} << 30U;
constexpr std::uint64_t kTasksMax = 1024;  // a background thread per processor, on the largest hosts

std::uint64_t to_usec(std::chrono::milliseconds span) {
  return static_cast<std::uint64_t>(std::chrono::microseconds(span).count());
}

base::Result<void> checked(const char* what, const std::string& where, int result) {
  if (result < 0) return base::fault_from_errno(what, where, -result);
  return {};
}

// Collects the first error of a chain of appends.
class Properties {
 public:
  explicit Properties(sd_bus_message* message) : message_(message) {}
  template <typename... Values>
  Properties& add(const char* name, const char* type, Values... values) {
    if (result_ >= 0) result_ = sd_bus_message_append(message_, "(sv)", name, type, values...);
    return *this;
  }
  Properties& add_strings(const char* name, const std::vector<std::string>& values) {
    std::vector<char*> words;
    words.reserve(values.size() + 1);
    for (const std::string& value : values) words.push_back(const_cast<char*>(value.c_str()));
    words.push_back(nullptr);
    return nest(name, "as", [&] { return sd_bus_message_append_strv(message_, words.data()); });
  }
  Properties& add_command(const std::string& program) {
    return nest("ExecStart", "a(sasb)", [&] {
      return sd_bus_message_append(message_, "a(sasb)", 1, program.c_str(), 1, program.c_str(), 0);
    });
  }
  [[nodiscard]] int result() const { return result_; }

 private:
  template <typename Append>
  Properties& nest(const char* name, const char* type, Append append) {
    if (result_ >= 0) result_ = sd_bus_message_open_container(message_, 'r', "sv");
    if (result_ >= 0) result_ = sd_bus_message_append(message_, "s", name);
    if (result_ >= 0) result_ = sd_bus_message_open_container(message_, 'v', type);
    if (result_ >= 0) result_ = append();
    if (result_ >= 0) result_ = sd_bus_message_close_container(message_);
    if (result_ >= 0) result_ = sd_bus_message_close_container(message_);
    return *this;
  }

  sd_bus_message* message_;
  int result_ = 0;
};

int append_properties(sd_bus_message* message, const TransientService& service) {
  Properties properties(message);
  properties.add("Description", "s", service.description.c_str())
      .add("Type", "s", "oneshot")
      .add("AddRef", "b", 1)
      .add("CollectMode", "s", "inactive-or-failed")
      .add("DynamicUser", "b", 1)
      .add("NoNewPrivileges", "b", 1)
      .add("PrivateNetwork", "b", 1)
      .add("PrivateDevices", "b", 1)
      .add("ProtectSystem", "s", "strict")
      .add("ProtectHome", "s", "read-only")
      .add("KillSignal", "i", SIGKILL)
      .add("TimeoutStartUSec", "t", to_usec(service.time_limit))
      .add("TimeoutStopUSec", "t", std::uint64_t{2'000'000})
      .add("MemoryMax", "t", kMemoryMax)
      .add("MemorySwapMax", "t", std::uint64_t{0})
      .add("TasksMax", "t", kTasksMax)
      .add("LimitCORE", "t", std::uint64_t{0})
      .add("StandardInput", "s", "null")
      .add("StandardOutputFileDescriptor", "h", service.output_fd)
      .add("StandardErrorFileDescriptor", "h", service.errors_fd)
      .add_strings("Environment", service.environment)
      .add_command(service.program);
  return properties.result();
}

// ExecMainCode and its like out of the answer of GetAll, which holds a hundred others.
int parse_end(sd_bus_message* reply, ServiceEnd& end) {
  int result = sd_bus_message_enter_container(reply, 'a', "{sv}");
  while (result >= 0 && (result = sd_bus_message_enter_container(reply, 'e', "sv")) > 0) {
    const char* name = nullptr;
    result = sd_bus_message_read(reply, "s", &name);
    if (result < 0) break;
    const std::string_view property = name;
    if (property == "Result") {
      const char* text = nullptr;
      result = sd_bus_message_read(reply, "v", "s", &text);
      if (result >= 0) end.result = text;
    } else if (property == "ExecMainCode") {
      result = sd_bus_message_read(reply, "v", "i", &end.code);
    } else if (property == "ExecMainStatus") {
      result = sd_bus_message_read(reply, "v", "i", &end.status);
    } else {
      result = sd_bus_message_skip(reply, "v");
    }
    if (result >= 0) result = sd_bus_message_exit_container(reply);
  }
  return result;
}

}  // namespace

TransientUnit::~TransientUnit() {
  job_slot_.reset();
  if (!bus_ || name_.empty()) return;
  // By then it is inactive and goes at once, or it was killed and goes when systemd has seen that.
  [[maybe_unused]] const auto reply = call_manager("UnrefUnit", name_);
}

base::Result<void> TransientUnit::connect() {
  sd_bus* bus = nullptr;
  int result = sd_bus_new(&bus);
  if (result < 0) return checked("make", "a bus connection", result);
  bus_.reset(bus);
  if (address_.empty()) address_ = host::system_bus_address();
  result = sd_bus_set_address(bus, address_.c_str());
  if (result >= 0) result = sd_bus_set_bus_client(bus, 1);
  if (result >= 0) result = sd_bus_start(bus);
  const auto end = Clock::now() + deadline_;
  while (result >= 0 && (result = sd_bus_is_ready(bus)) == 0) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(end - Clock::now());
    if (left.count() <= 0) return checked("connect to", address_, -ETIMEDOUT);
    result = sd_bus_process(bus, nullptr);
    if (result == 0) result = sd_bus_wait(bus, to_usec(left));
  }
  sd_bus_slot* slot = nullptr;
  if (result >= 0) {
    result = sd_bus_match_signal(bus, &slot, host::kSystemd, kManagerPath, kManager, "JobRemoved",
                                 on_job_removed, this);
  }
  if (result < 0) return checked("connect to", address_, result);
  job_slot_.reset(slot);
  return {};
}

base::Result<host::MessageHandle> TransientUnit::call(sd_bus_message* message, const char* what) {
  sd_bus_error error{};
  sd_bus_message* reply = nullptr;
  const int result = sd_bus_call(bus_.get(), message, to_usec(deadline_), &error, &reply);
  const std::string said = error.message != nullptr ? error.message : "";
  sd_bus_error_free(&error);
  if (result < 0) {
    if (said.empty()) return base::fault_from_errno(what, "systemd", -result);
    return base::fault(what, "systemd", said);
  }
  return host::MessageHandle(reply);
}

base::Result<host::MessageHandle> TransientUnit::call_manager(const char* member,
                                                              const std::string& argument) {
  sd_bus_message* raw = nullptr;
  int result =
      sd_bus_message_new_method_call(bus_.get(), &raw, host::kSystemd, kManagerPath, kManager, member);
  const host::MessageHandle message(raw);
  if (result >= 0) result = sd_bus_message_append(raw, "s", argument.c_str());
  if (result < 0) return base::fault_from_errno("call", member, -result);
  return call(raw, member);
}

base::Result<void> TransientUnit::start(const TransientService& service) {
  sd_bus_message* raw = nullptr;
  int result = sd_bus_message_new_method_call(bus_.get(), &raw, host::kSystemd, kManagerPath, kManager,
                                              "StartTransientUnit");
  const host::MessageHandle message(raw);
  if (result >= 0) result = sd_bus_message_append(raw, "ss", service.name.c_str(), "fail");
  if (result >= 0) result = sd_bus_message_open_container(raw, 'a', "(sv)");
  if (result >= 0) result = append_properties(raw, service);
  if (result >= 0) result = sd_bus_message_close_container(raw);
  if (result >= 0) result = sd_bus_message_append(raw, "a(sa(sv))", 0);
  if (result < 0) return checked("describe", service.name, result);
  // From here on it may exist, whatever the answer is or whether there is one.
  name_ = service.name;
  auto reply = call(raw, "start the canary through");
  if (!reply) return std::unexpected(reply.error());
  const char* job = nullptr;
  result = sd_bus_message_read(reply->get(), "o", &job);
  if (result >= 0) job_ = job;
  return checked("read the answer of", "systemd", result);
}

int TransientUnit::process() {
  int result = 0;
  do {
    result = sd_bus_process(bus_.get(), nullptr);
  } while (result > 0);
  return result;
}

base::Result<bool> TransientUnit::wait(Capture& capture, std::chrono::milliseconds limit) {
  const auto end = Clock::now() + limit;
  for (;;) {
    if (const int result = process(); result < 0)
      return base::fault_from_errno("listen to", "systemd", -result);
    capture.drain();
    if (std::ranges::find(removed_jobs_, job_) != removed_jobs_.end()) return true;
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(end - Clock::now()).count();
    if (left <= 0 || capture.flooded()) return false;
    const int events = sd_bus_get_events(bus_.get());
    std::array<pollfd, 3> watched{{{sd_bus_get_fd(bus_.get()), static_cast<short>(std::max(events, 0)), 0},
                                   {capture.output_read_fd(), POLLIN, 0},
                                   {capture.errors_read_fd(), POLLIN, 0}}};
    ::poll(watched.data(), watched.size(), static_cast<int>(std::min<decltype(left)>(left, 60'000)));
  }
}

int TransientUnit::on_job_removed(sd_bus_message* message, void* self, sd_bus_error* /*error*/) noexcept {
  auto& unit = *static_cast<TransientUnit*>(self);
  std::uint32_t id = 0;
  const char* job = nullptr;
  const char* name = nullptr;
  const char* result = nullptr;
  if (sd_bus_message_read(message, "uoss", &id, &job, &name, &result) >= 0 && unit.name_ == name) {
    unit.removed_jobs_.emplace_back(job);
  }
  return 0;
}

base::Result<ServiceEnd> TransientUnit::read_end() {
  sd_bus_message* raw = nullptr;
  const std::string path = host::unit_path(name_);
  int result =
      sd_bus_message_new_method_call(bus_.get(), &raw, host::kSystemd, path.c_str(), kProperties, "GetAll");
  const host::MessageHandle message(raw);
  if (result >= 0) result = sd_bus_message_append(raw, "s", kService);
  if (result < 0) return base::fault_from_errno("call", "GetAll", -result);
  auto reply = call(raw, "ask how the canary ended from");
  if (!reply) return std::unexpected(reply.error());
  ServiceEnd end;
  result = parse_end(reply->get(), end);
  if (result < 0) return base::fault_from_errno("read the answer of", "systemd", -result);
  return end;
}

void TransientUnit::kill() {
  sd_bus_message* raw = nullptr;
  int result =
      sd_bus_message_new_method_call(bus_.get(), &raw, host::kSystemd, kManagerPath, kManager, "KillUnit");
  const host::MessageHandle message(raw);
  if (result >= 0) result = sd_bus_message_append(raw, "ssi", name_.c_str(), "all", SIGKILL);
  if (result < 0) return;
  [[maybe_unused]] const auto reply = call(raw, "kill the canary through");
}

}  // namespace allocd::preflight
