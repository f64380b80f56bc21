// SPDX-License-Identifier: Apache-2.0
#include "enforcer/events.hpp"

#include <fmt/format.h>

#include "host/message_id.hpp"

namespace allocd::enforcer {

namespace {

using host::Priority;
namespace id = host::message_id;

std::string paths_of(const policy::PlanItem& item) {
  std::string paths;
  for (const auto& file : item.files) paths += (paths.empty() ? "" : " ") + file.path;
  return paths;
}

}  // namespace

void log_applied(host::Journal& journal, const policy::PlanItem& item) {
  const bool writes = item.action == policy::Action::write;
  journal.log(
      Priority::notice, writes ? id::kDropInWritten : id::kDropInRemoved,
      fmt::format("{}: the drop-in was {}: {}.", item.target, writes ? "written" : "removed", item.sentence),
      {{"ALLOCD_UNIT", item.target}, {"ALLOCD_PATH", paths_of(item)}});
}

void log_blocked(host::Journal& journal, const policy::PlanItem& item) {
  journal.log(Priority::warning, id::kDropInBlocked,
              fmt::format("{}: the policy cannot be applied: {}.", item.target, item.sentence),
              {{"ALLOCD_UNIT", item.target},
               {"ALLOCD_REASON", std::string(policy::kPlanReasonNames.name(item.reason))},
               {"ALLOCD_CAUSE", item.sentence}});
}

void log_failed(host::Journal& journal, const policy::PlanItem& item, const std::string& error) {
  journal.log(Priority::error, id::kDropInFailed,
              fmt::format("{}: the drop-in could not be changed: {}.", item.target, error),
              {{"ALLOCD_UNIT", item.target}, {"ALLOCD_CAUSE", error}});
}

void log_reload_failed(host::Journal& journal, const std::string& error) {
  journal.log(
      Priority::error, id::kReloadFailed,
      fmt::format("systemd did not read its unit files again: {}. What was written is on disk and not "
                  "in force; the next run tries again.",
                  error),
      {{"ALLOCD_CAUSE", error}});
}

void log_restarted(host::Journal& journal, const std::string& unit, const std::string& error) {
  if (error.empty()) {
    journal.log(Priority::notice, id::kUnitRestarted,
                fmt::format("{}: restarted, as its policy allows.", unit), {{"ALLOCD_UNIT", unit}});
  } else {
    journal.log(Priority::error, id::kRestartFailed, fmt::format("{}: not restarted: {}.", unit, error),
                {{"ALLOCD_UNIT", unit}, {"ALLOCD_CAUSE", error}});
  }
}

void log_settled(host::Journal& journal, const std::string& unit) {
  journal.log(Priority::notice, id::kUnitSettled,
              fmt::format("{}: has started under its drop-in and stayed up.", unit), {{"ALLOCD_UNIT", unit}});
}

void log_rolled_back(host::Journal& journal, const std::string& unit, const TargetRecord& record) {
  std::string message = fmt::format("{}: the drop-in was taken back: {}.", unit, record.rolled_back);
  for (const auto& line : record.journal) message += "\n  " + line;
  journal.log(Priority::error, id::kRolledBack, message,
              {{"ALLOCD_UNIT", unit}, {"ALLOCD_CAUSE", record.rolled_back}});
}

void log_refused(host::Journal& journal, const std::string& why) {
  journal.log(Priority::error, id::kEnforcementRefused, fmt::format("Nothing was enforced: {}.", why),
              {{"ALLOCD_CAUSE", why}});
}

}  // namespace allocd::enforcer
