// SPDX-License-Identifier: Apache-2.0
#include "observer/enforcer_view.hpp"

#include <cerrno>
#include <utility>
#include <vector>

#include "host/drop_in.hpp"

namespace allocd::observer {

namespace {

policy::DropInPhase to_phase(policy::FusePhase phase) {
  switch (phase) {
    case policy::FusePhase::waiting:
      return policy::DropInPhase::waiting;
    case policy::FusePhase::settling:
      return policy::DropInPhase::settling;
    case policy::FusePhase::settled:
      return policy::DropInPhase::settled;
    case policy::FusePhase::rolled_back:
      break;
  }
  return policy::DropInPhase::rolled_back;
}

}  // namespace

EnforcerView::Stamp EnforcerView::stamp() const {
  const auto status = root_.status(directory_ + "/" + enforcer::kManifestName);
  if (!status) return {.error = status.error().code};
  return {.error = 0,
          .inode = status->st_ino,
          .size = status->st_size,
          .seconds = status->st_mtim.tv_sec,
          .nanoseconds = status->st_mtim.tv_nsec};
}

// The stamp is taken first: what changes while it is read is seen the next time.
void EnforcerView::refresh() {
  const Stamp now = stamp();
  if (stamp_ == now) return;
  stamp_ = now;
  auto manifest = enforcer::read_manifest(root_, directory_);
  problem_ = manifest ? "" : manifest.error().message();
  manifest_.reset();
  if (manifest) manifest_ = std::move(*manifest);
}

snapshot::Enforcer EnforcerView::summary() const {
  snapshot::Enforcer summary;
  if (!manifest_) return summary;
  const auto& run = manifest_->last_run;
  summary.known = true;
  summary.applied_total = manifest_->applied_total;
  summary.reverted_total = manifest_->reverted_total;
  summary.rolled_back_total = manifest_->rolled_back_total;
  summary.restarts_total = manifest_->restarts_total;
  summary.last_run_at = run.at;
  summary.last_run_verb = run.verb;
  summary.last_run_success = run.at > 0 && run.success;
  summary.last_run_error = run.error;
  summary.last_run_changes = run.changed;
  summary.last_run_blocked = run.blocked;
  summary.last_plan_at = manifest_->last_plan.at;
  summary.last_plan_changes = manifest_->last_plan.changes;
  summary.last_plan_blocked = manifest_->last_plan.blocked;
  return summary;
}

const enforcer::TargetRecord* EnforcerView::find(const host::UnitFacts& facts) const {
  if (!manifest_) return nullptr;
  std::vector<std::string> owners{facts.name};
  if (auto whole = host::template_of(facts.name)) owners.push_back(std::move(*whole));
  if (auto quadlet = host::quadlet_of(facts.source_path)) owners.push_back(std::move(*quadlet));
  for (const auto& owner : owners) {
    const auto found = manifest_->targets.find(owner);
    if (found != manifest_->targets.end()) return &found->second;
  }
  return nullptr;
}

void describe_drop_in(const enforcer::TargetRecord& record, const host::UnitFacts& facts,
                      snapshot::DropIn& drop_in) {
  using policy::DropInPhase;
  if (!record.rolled_back.empty()) {
    drop_in.phase = DropInPhase::rolled_back;
    return;
  }
  drop_in.applied_at = record.applied_at;
  const auto unit = record.units.find(facts.name);
  if (unit == record.units.end()) return;
  const auto& fuse = unit->second.fuse;
  drop_in.phase = to_phase(fuse.phase);
  const bool is_watched = drop_in.phase == DropInPhase::waiting || drop_in.phase == DropInPhase::settling;
  const bool has_started = !facts.invocation_id.empty() && facts.invocation_id != fuse.invocation;
  drop_in.restarted = is_watched && (has_started || facts.restarts != fuse.restarts);
}

}  // namespace allocd::observer
