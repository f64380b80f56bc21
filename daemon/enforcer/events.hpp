// SPDX-License-Identifier: Apache-2.0
// What the enforcer tells the journal: one function for each event, so that message, id and fields stay
// together. The ids and their fields are explained in host/message_id.hpp and systemd/allocd.catalog.
#pragma once

#include <string>

#include "enforcer/manifest.hpp"
#include "host/journal.hpp"
#include "policy/plan.hpp"

namespace allocd::enforcer {

void log_applied(host::Journal& journal, const policy::PlanItem& item);
void log_blocked(host::Journal& journal, const policy::PlanItem& item);
void log_failed(host::Journal& journal, const policy::PlanItem& item, const std::string& error);
void log_reload_failed(host::Journal& journal, const std::string& error);
void log_restarted(host::Journal& journal, const std::string& unit, const std::string& error);
void log_settled(host::Journal& journal, const std::string& unit);
void log_rolled_back(host::Journal& journal, const std::string& unit, const TargetRecord& record);
void log_refused(host::Journal& journal, const std::string& why);

}  // namespace allocd::enforcer
