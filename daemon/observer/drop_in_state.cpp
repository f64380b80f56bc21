// SPDX-License-Identifier: Apache-2.0
// allocd's own drop-in of a unit, and the program a unit starts: what is read of them beside their text.
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "allocator/classify.hpp"
#include "base/text.hpp"
#include "host/drop_in.hpp"
#include "host/owned_file.hpp"
#include "observer/unit_files.hpp"
#include "unitfile/drop_in_text.hpp"

namespace allocd::observer {

namespace {

using host::FileState;
using policy::DropInState;

struct Found {
  DropInState state = DropInState::absent;
  std::string text;
};

// Ours are of whoever owns the tree: root.
Found read_one(const host::Root& root, const std::string& path) {
  const auto owner = root.status("/");
  auto file = host::read_state(root, path);
  // No directory of units at all: /run/systemd/system on a host without systemd, say.
  if (!file && (file.error().code == ENOENT || file.error().code == ENOTDIR)) return {};
  if (!file) return {DropInState::unreadable, ""};
  if (file->kind == FileState::Kind::absent) return {};
  if (file->kind != FileState::Kind::regular || !owner || file->owner != owner->st_uid)
    return {DropInState::foreign, ""};
  if (!file->is_readable) return {DropInState::unreadable, ""};
  const auto ownership = unitfile::decide_ownership(file->text);
  if (ownership == unitfile::Ownership::ours) return {DropInState::intact, std::move(file->text)};
  return {ownership == unitfile::Ownership::tampered ? DropInState::tampered : DropInState::foreign, ""};
}

bool is_shell(std::string_view name) {
  constexpr std::array<std::string_view, 9> kShells{"sh",  "bash", "dash", "ash",    "ksh",
                                                    "zsh", "mksh", "fish", "busybox"};
  return std::ranges::find(kShells, name) != kShells.end();
}

// "#!/bin/sh -e", "#!/usr/bin/env -S bash -e": the interpreter's own name, or what env(1) starts.
bool is_for_shell(std::string_view line) {
  if (!line.starts_with("#!")) return false;
  line.remove_prefix(2);
  std::string_view name = allocator::base_name(base::take_word(line));
  while (name == "env" || (name.starts_with('-') && !line.empty()))
    name = allocator::base_name(base::take_word(line));
  return is_shell(name);
}

}  // namespace

snapshot::DropIn read_drop_in(const host::Root& root, const host::UnitFacts& facts) {
  snapshot::DropIn drop_in;
  auto paths = host::drop_in_paths_of(facts.name);
  for (const auto& path : host::owned_paths_of(facts.name, facts.source_path)) {
    if (host::is_quadlet_path(path) && path.ends_with(host::kDropInName)) paths.push_back(path);
  }
  const auto is_loaded = [&](const std::string& path) {
    return std::ranges::count(facts.drop_in_paths, path) > 0;
  };
  Found found;
  for (const auto& path : paths) {
    if (found = read_one(root, path); found.state == DropInState::absent) continue;
    drop_in.path = path;
    break;
  }
  if (drop_in.path.empty()) {
    const auto loaded = std::ranges::find_if(paths, is_loaded);
    drop_in.path = loaded == paths.end() ? paths.front() : *loaded;
  }
  drop_in.state = found.state;
  drop_in.loaded = is_loaded(drop_in.path);
  if (drop_in.state != DropInState::intact) return drop_in;
  const auto beside =
      drop_in.path.substr(0, drop_in.path.rfind('/') + 1) + std::string(host::kEnvironmentFileName);
  const auto state = read_one(root, beside).state;
  const bool is_needed = found.text.contains(host::kEnvironmentFileName);
  if (state != DropInState::intact && (is_needed || state != DropInState::absent)) drop_in.state = state;
  return drop_in;
}

bool read_starts_script(const host::Root& root, const host::UnitFacts& facts) {
  if (facts.exec_start.empty() || facts.exec_start.front().empty()) return false;
  const std::string& program = facts.exec_start.front().front();
  if (is_shell(allocator::base_name(program))) return true;
  const bool has_root = !facts.root_directory.empty() && facts.root_directory != "/";
  const std::string path = (has_root ? facts.root_directory : "") + program;
  const auto status = root.status(path);
  if (!status || !S_ISREG(status->st_mode)) return false;
  const auto file = root.open_file(path);
  if (!file) return false;
  std::array<char, 256> head{};
  const ssize_t size = ::read(file->get(), head.data(), head.size());
  if (size <= 0) return false;
  std::string_view text(head.data(), static_cast<std::size_t>(size));
  return is_for_shell(base::take_line(text));
}

}  // namespace allocd::observer
