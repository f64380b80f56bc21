// SPDX-License-Identifier: Apache-2.0
#include "ctl/enforce/exchange.hpp"

#include <fmt/format.h>
#include <sys/random.h>

#include <array>
#include <cerrno>
#include <utility>

#include "enforcer/unit_watch.hpp"
#include "host/systemd_control.hpp"

namespace allocd::ctl {

namespace {

using enforcer::Mailbox;
using enforcer::Report;
using Clock = std::chrono::steady_clock;

class SystemdService final : public EnforcerService {
 public:
  SystemdService(const std::string& bus_address, std::unique_ptr<enforcer::UnitWatch> watch)
      : control_({.address = bus_address}), watch_(std::move(watch)) {}

  base::Result<void> start() override { return control_.start(kEnforcerUnit); }

  base::Result<bool> is_running() override {
    constexpr std::chrono::milliseconds kReadLimit{10'000};
    host::UnitSelection selection;
    selection.names = {kEnforcerUnit};
    if (auto read = watch_->read(selection, kReadLimit); !read) return std::unexpected(read.error());
    const auto facts = watch_->units().find(kEnforcerUnit);
    if (facts == watch_->units().end()) return false;
    return facts->second.active_state == "activating" || facts->second.active_state == "active" ||
           facts->second.active_state == "deactivating";
  }

  void wait(std::chrono::milliseconds time) override { watch_->follow(time); }

 private:
  host::SystemdControl control_;
  std::unique_ptr<enforcer::UnitWatch> watch_;
};

// Starts it as often as the limits allow; then says where to look.
class Starter {
 public:
  Starter(EnforcerService& service, const ExchangeLimits& limits) : service_(service), limits_(limits) {}

  base::Result<void> start() {
    ++starts_;
    last_ = Clock::now();
    return service_.start();
  }

  base::Result<void> start_again_if_ended() {
    if (Clock::now() - last_ < limits_.patience) return {};
    last_ = Clock::now();
    const auto running = service_.is_running();
    if (!running) return std::unexpected(running.error());
    if (*running) return {};
    if (starts_ >= limits_.starts) {
      return base::fault("get an answer from", kEnforcerUnit,
                         fmt::format("it ended without one; journalctl -u {} says why", kEnforcerUnit));
    }
    return start();
  }

 private:
  EnforcerService& service_;
  const ExchangeLimits& limits_;
  int starts_ = 0;
  Clock::time_point last_;
};

base::Result<Report> await_report(const Mailbox& mailbox, EnforcerService& service, const std::string& id,
                                  const ExchangeLimits& limits) {
  Starter starter(service, limits);
  if (auto started = starter.start(); !started) return std::unexpected(started.error());
  const auto until = Clock::now() + limits.answer;
  while (true) {
    auto report = mailbox.collect(id);
    if (report || report.error().code != ENOENT) return report;
    if (Clock::now() >= until) {
      return base::fault("get an answer from", kEnforcerUnit,
                         fmt::format("none within {} s; journalctl -u {} shows what it is at",
                                     std::chrono::duration_cast<std::chrono::seconds>(limits.answer).count(),
                                     kEnforcerUnit));
    }
    if (auto alive = starter.start_again_if_ended(); !alive) {
      // It may have answered between the two looks.
      auto late = mailbox.collect(id);
      return late ? std::move(late) : base::Result<Report>(std::unexpected(alive.error()));
    }
    service.wait(limits.pause);
  }
}

}  // namespace

base::Result<std::unique_ptr<EnforcerService>> open_enforcer_service(const std::string& bus_address) {
  auto watch = enforcer::UnitWatch::open(bus_address);
  if (!watch) return std::unexpected(watch.error());
  return std::make_unique<SystemdService>(bus_address, std::move(*watch));
}

base::Result<std::string> make_request_id() {
  std::array<unsigned char, 16> bytes{};
  if (::getrandom(bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size()))
    return base::fault_from_errno("read", "random bytes", errno);
  std::string id;
  for (const unsigned char byte : bytes) id += fmt::format("{:02x}", byte);
  return id;
}

base::Result<Report> ask_enforcer(const Mailbox& mailbox, EnforcerService& service,
                                  const enforcer::Request& request, const ExchangeLimits& limits) {
  if (auto ready = mailbox.prepare(); !ready) return std::unexpected(ready.error());
  if (auto posted = mailbox.post(request); !posted) return std::unexpected(posted.error());
  auto report = await_report(mailbox, service, request.id, limits);
  if (!report) mailbox.withdraw(request.id);
  return report;
}

}  // namespace allocd::ctl
