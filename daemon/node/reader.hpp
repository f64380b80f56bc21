// SPDX-License-Identifier: Apache-2.0
// How the parts of this layer read one file after another: a folder is opened once and its files are opened
// relative to it; what cannot be read or is not what was expected becomes a ReadProblem and an absent figure.
//
// One buffer serves all files, so a text is good until the next read. One thread.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/unique_fd.hpp"
#include "host/root.hpp"
#include "kernel/attribute.hpp"
#include "node/state.hpp"

namespace allocd::node {

// The longest file read is vmstat or meminfo, a few KiB. What is longer than this is not of the kernel's
// making.
inline constexpr std::size_t kLongestFile = std::size_t{256} << 10U;

struct Folder {
  base::UniqueFd fd;
  std::string path;

  [[nodiscard]] std::string path_of(std::string_view name) const;
};

// Whether it is worth a word when a file is not there.
enum class WhenMissing { note, ignore };

class Reader {
 public:
  Reader(const host::Root& root, std::vector<ReadProblem>& problems) : root_(&root), problems_(&problems) {}

  [[nodiscard]] std::optional<Folder> open(std::string_view path, WhenMissing when = WhenMissing::note);
  // A folder inside a folder, not noted when it is not there.
  [[nodiscard]] std::optional<Folder> open_inside(const Folder& folder, const std::string& name);
  // Names in a folder, sorted.
  [[nodiscard]] std::optional<std::vector<std::string>> list(const Folder& folder);

  // What `parse` makes of a file, or nothing and a problem. `parse` takes a text and gives an optional.
  template <typename Parse>
  [[nodiscard]] auto parsed(const Folder& folder, std::string_view name, const Parse& parse,
                            WhenMissing when = WhenMissing::note) -> decltype(parse(std::string_view())) {
    const auto text = read(folder.fd.get(), folder.path, name, when);
    if (!text) return std::nullopt;
    auto value = parse(*text);
    if (!value) note_malformed(folder.path_of(name));
    return value;
  }
  // As parsed(), for a file with a path of its own.
  template <typename Parse>
  [[nodiscard]] auto parsed_at(std::string_view path, const Parse& parse)
      -> decltype(parse(std::string_view())) {
    const auto text = read(root_->fd(), "", path, WhenMissing::note);
    if (!text) return std::nullopt;
    auto value = parse(*text);
    if (!value) note_malformed(std::string(path));
    return value;
  }

  [[nodiscard]] Figure number(const Folder& folder, std::string_view name,
                              WhenMissing when = WhenMissing::note);
  [[nodiscard]] std::optional<bool> flag(const Folder& folder, std::string_view name);
  // The chosen word of a selection.
  [[nodiscard]] Word choice(const Folder& folder, std::string_view name,
                            WhenMissing when = WhenMissing::note);
  // Every file of a folder that holds a number, by its name: which there are differs by kernel. One that
  // holds a choice among words instead is left out.
  [[nodiscard]] Counters numbers(const Folder& folder);

  // True when the kernel was found to have no such folder.
  [[nodiscard]] bool is_missing(std::string_view path) const;

 private:
  [[nodiscard]] std::optional<std::string_view> read(int directory, std::string_view folder,
                                                     std::string_view name, WhenMissing when);
  void note(std::string path, int error, WhenMissing when);
  void note_malformed(std::string path);

  const host::Root* root_;
  std::vector<ReadProblem>* problems_;
  std::string buffer_;
};

}  // namespace allocd::node
