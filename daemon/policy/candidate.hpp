// SPDX-License-Identifier: Apache-2.0
// Which texts of ours make a unit start with the wanted variables, found by trying.
//
// A drop-in's Environment= first; where something beats that, a drop-in that also names an EnvironmentFile=
// of ours, which wins over every Environment= and over the files named before it (systemd.exec(5)). Each is
// put among the unit's own files and the environment is computed again. Pure; any thread.
#pragma once

#include <expected>
#include <map>
#include <string>
#include <vector>

#include "policy/desired.hpp"
#include "policy/plan.hpp"
#include "unitfile/environment.hpp"

namespace allocd::policy {

// Where an item's files lie, and what their headers say.
struct Placement {
  std::string target;        // whose drop-in it is
  std::string drop_in_path;  // ".../vllm.service.d/zz-allocd.conf"
  std::string environment_path;
  std::string policy;  // one line for the header
  std::string version;
};

using FileTexts = std::map<std::string, std::string>;  // by path

struct Obstacle {
  PlanReason reason = PlanReason::unset_by_unit;
  std::string sentence;
};

// The unit's sources without any file of ours.
[[nodiscard]] unitfile::UnitSources without_owned(unitfile::UnitSources sources);

// `sources` hold no file of ours.
[[nodiscard]] std::expected<FileTexts, Obstacle> find_texts(const unitfile::UnitSources& sources,
                                                            const std::vector<Assignment>& desired,
                                                            const Placement& place);

// What a quadlet's files say of its container's environment, as if it were a service's, with every line in
// its place.
[[nodiscard]] unitfile::UnitSources quadlet_sources(const std::vector<unitfile::SourceText>& quadlet,
                                                    const unitfile::Specifiers& specifiers);
// Without any file of ours.
[[nodiscard]] unitfile::UnitSources container_sources(const UnitInput& unit);

// A quadlet's drop-in: [Container] Environment= and the library mounted read-only at its own path.
[[nodiscard]] std::expected<FileTexts, Obstacle> make_quadlet_texts(const std::vector<Assignment>& desired,
                                                                    const std::string& library,
                                                                    const Placement& place);

}  // namespace allocd::policy
