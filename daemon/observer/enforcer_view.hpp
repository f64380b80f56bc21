// SPDX-License-Identifier: Apache-2.0
// What the enforcer's manifest says, as the observer shows it.
//
// Read again when the file has changed. None at all is an empty one: nothing was ever enforced. One that
// cannot be read or understood is a problem, and then nothing is known. Single-threaded, on the loop.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "enforcer/manifest.hpp"
#include "host/root.hpp"
#include "host/unit_manager.hpp"
#include "snapshot/model.hpp"

namespace allocd::observer {

class EnforcerView {
 public:
  explicit EnforcerView(const host::Root& root, std::string directory = enforcer::kStateDirectory)
      : root_(root), directory_(std::move(directory)) {}

  void refresh();
  [[nodiscard]] const std::string& problem() const { return problem_; }
  [[nodiscard]] const std::string& directory() const { return directory_; }
  [[nodiscard]] snapshot::Enforcer summary() const;

  // Whether it is in the middle of changing files: what is missing then is its own doing.
  [[nodiscard]] bool is_at_work() const { return manifest_ && manifest_->reload_needed; }
  // The record of the drop-in that reaches the unit: its own, its template's or its quadlet's; else null.
  [[nodiscard]] const enforcer::TargetRecord* find(const host::UnitFacts& facts) const;

 private:
  struct Stamp {
    int error = -1;
    std::uint64_t inode = 0;
    std::int64_t size = 0;
    std::int64_t seconds = 0;
    std::int64_t nanoseconds = 0;
    bool operator==(const Stamp&) const = default;
  };
  [[nodiscard]] Stamp stamp() const;

  const host::Root& root_;
  std::string directory_;
  std::optional<Stamp> stamp_;
  std::optional<enforcer::Manifest> manifest_;
  std::string problem_;
};

// Fills in what the enforcer knows of the unit's drop-in.
void describe_drop_in(const enforcer::TargetRecord& record, const host::UnitFacts& facts,
                      snapshot::DropIn& drop_in);

}  // namespace allocd::observer
