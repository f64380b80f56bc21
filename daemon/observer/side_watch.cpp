// SPDX-License-Identifier: Apache-2.0
#include "observer/side_watch.hpp"

#include <sys/epoll.h>

#include <algorithm>
#include <utility>

#include "observer/locality.hpp"

namespace allocd::observer {

namespace {

std::vector<CostlyTarget> find_targets(const snapshot::Snapshot& snapshot, const Sampler& sampler,
                                       const settings::Settings& settings) {
  std::vector<CostlyTarget> targets;
  for (const auto& unit : snapshot.units) {
    const auto service = std::ranges::find(settings.services, unit.service, &settings::Service::name);
    if (service == settings.services.end() || service->costly_reads.empty()) continue;
    sampler.visit_processes(unit.name, [&](const TrackedProcess& process) {
      for (const auto kind : service->costly_reads) {
        targets.push_back({unit.name, kind, process.id(), process.image(), process.status().resident,
                           process.handle().directory});
      }
    });
  }
  return targets;
}

}  // namespace

base::Result<std::unique_ptr<SideWatch>> SideWatch::start(sd_event* loop, const host::Root& root,
                                                          const settings::Settings& settings,
                                                          std::function<void()> on_first_node) {
  auto event = SideEvent::make();
  if (!event) return std::unexpected(event.error());
  auto watch = std::make_unique<SideWatch>(root, *event, std::move(on_first_node));
  sd_event_source* io = nullptr;
  int result = sd_event_add_io(loop, &io, (*event)->fd(), EPOLLIN, &SideWatch::on_event, watch.get());
  watch->io_.reset(io);
  auto* self = watch.get();
  if (result >= 0) result = watch->timer_.open(loop, [self] { self->go_on(); });
  if (result < 0) return base::fault_from_errno("set up", "the side lanes", -result);
  watch->configure(settings);
  return watch;
}

SideWatch::SideWatch(const host::Root& root, std::shared_ptr<SideEvent> event,
                     std::function<void()> on_first_node)
    : event_(std::move(event)),
      on_first_node_(std::move(on_first_node)),
      node_(root, event_),
      page_cache_(root, event_),
      costly_(event_, Clock::now()) {
}

void SideWatch::configure(const settings::Settings& settings) {
  const auto now = Clock::now();
  node_.configure(settings, now);
  page_cache_.configure(settings, now);
  costly_.configure(settings.observe, now);
  go_on();
}

int SideWatch::on_event(sd_event_source* /*source*/, int /*fd*/, std::uint32_t /*events*/, void* self) {
  auto& watch = *static_cast<SideWatch*>(self);
  watch.event_->clear();
  watch.node_.collect();
  watch.page_cache_.collect();
  watch.costly_.collect();
  watch.go_on();
  if (watch.knows_node() && watch.on_first_node_) std::exchange(watch.on_first_node_, nullptr)();
  return 0;
}

void SideWatch::go_on() {
  const auto now = Clock::now();
  const auto next = std::min({node_.go_on(now), page_cache_.go_on(now), costly_.go_on(now)});
  if (next == Clock::time_point::max()) return timer_.disarm();
  // Rounded up: who comes too early finds nothing due.
  timer_.arm(std::chrono::ceil<std::chrono::milliseconds>(std::max(next - now, Clock::duration(0))));
}

void SideWatch::follow(snapshot::Snapshot& snapshot, const Sampler& sampler,
                       const settings::Settings& settings) {
  const auto now = Clock::now();
  node_.want_gpus(snapshot, now);
  costly_.watch(find_targets(snapshot, sampler, settings), now);
  node_.fill(snapshot, now);
  page_cache_.fill(snapshot, now);
  costly_.fill(snapshot, now);
  for (auto& unit : snapshot.units) add_locality(node_.map(), node_.gpu_nodes(), unit);
  std::ranges::sort(snapshot.collectors, {}, &snapshot::Collector::name);
  go_on();
}

}  // namespace allocd::observer
