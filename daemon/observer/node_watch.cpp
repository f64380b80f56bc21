// SPDX-License-Identifier: Apache-2.0
#include "observer/node_watch.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "kernel/gpu.hpp"
#include "kernel/system.hpp"
#include "node/read.hpp"
#include "observer/side_collector.hpp"

namespace allocd::observer {

namespace {

// GPUs of a machine; a process could name more.
constexpr std::size_t kMostGpus = 256;

double to_seconds(std::chrono::milliseconds duration) {
  return std::chrono::duration<double>(duration).count();
}

std::uint64_t count_kind(const node::NodeState& state, node::ProblemKind kind) {
  return static_cast<std::uint64_t>(std::ranges::count(state.problems, kind, &node::ReadProblem::kind));
}

std::string first_error(const node::NodeState& state) {
  const auto found = std::ranges::find_if(state.problems, [](const node::ReadProblem& problem) {
    return problem.kind != node::ProblemKind::missing;
  });
  return found == state.problems.end() ? "" : fmt::format("{}: {}", found->path, found->what);
}

}  // namespace

NodeWatch::NodeWatch(const host::Root& root, std::shared_ptr<SideEvent> event)
    : root_(root), lane_(std::move(event)) {
  collector_.name = "node";
}

void NodeWatch::configure(const settings::Settings& settings, Clock::time_point now) {
  expectations_ = settings.expect;
  interval_ = settings.observe.node_interval;
  due_ = std::min(due_, now + interval_);
  node_.interval = to_seconds(interval_);
  if (node_.known) node_.expectations = node::compare(expectations_, node_.state);
}

void NodeWatch::want_gpus(const snapshot::Snapshot& snapshot, Clock::time_point now) {
  for (const auto& unit : snapshot.units) {
    for (const auto& process : unit.processes) {
      for (const auto& gpu : process.placement.gpus) {
        if (gpus_.size() < kMostGpus && gpus_.insert(gpu).second) due_ = now;
      }
    }
  }
}

Clock::time_point NodeWatch::go_on(Clock::time_point now) {
  if (lane_.busy_since()) return Clock::time_point::max();
  if (now < due_) return due_;
  due_ = now + interval_;
  auto root = root_.duplicate();
  if (!root) {
    note_failure(collector_, root.error().message());
    return due_;
  }
  const bool has_begun = lane_.start([this, gpus = std::vector<std::string>(gpus_.begin(), gpus_.end()),
                                      copy = std::make_shared<host::Root>(std::move(*root))](
                                         const SideLane::StillWanted&) -> SideLane::Done {
    auto result = std::make_shared<Result>();
    result->state = node::read_node(*copy);
    result->gpu_nodes = kernel::read_gpu_nodes(*copy, gpus);
    // Runs on the loop, and only while this lives.
    return [this, result](const SideCost& cost) { take(std::move(*result), cost); };
  });
  if (!has_begun) note_failure(collector_, "no thread is to be had");
  return due_;
}

void NodeWatch::take(Result result, const SideCost& cost) {
  node_.known = true;
  node_.read_at = kernel::realtime_now();
  node_.duration = cost.seconds;
  node_.state = std::move(result.state);
  node_.expectations = node::compare(expectations_, node_.state);
  map_ = node::NodeMap(node_.state.numa);
  gpu_nodes_ = std::move(result.gpu_nodes);
  note_run(collector_, cost, first_error(node_.state));
  collector_.permission_errors = count_kind(node_.state, node::ProblemKind::not_permitted);
}

void NodeWatch::fill(snapshot::Snapshot& snapshot, Clock::time_point now) const {
  snapshot.node = node_;
  show_collector(collector_, lane_, now, snapshot);
}

}  // namespace allocd::observer
