// SPDX-License-Identifier: Apache-2.0
// The part of `allocctl node` that is about model files.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <string>
#include <utility>
#include <vector>

#include "ctl/figures.hpp"
#include "ctl/lines.hpp"
#include "ctl/show_parts.hpp"
#include "ctl/table.hpp"

namespace allocd::ctl {

namespace {

std::string not_counted_text(const kernel::PageCache& figures) {
  std::vector<std::string> parts;
  const auto part = [&](std::uint64_t count, std::string_view one, std::string_view many,
                        std::string_view why) {
    if (count > 0) parts.push_back(fmt::format("{} {}", count_of(count, one, many), why));
  };
  part(figures.search.not_permitted, "folder", "folders", "not permitted");
  part(figures.not_permitted, "file", "files", "not permitted");
  part(figures.unsupported, "file", "files", "without a page cache");
  part(figures.failed, "file", "files", "failed");
  if (!figures.is_complete()) parts.emplace_back("not all was looked at");
  return fmt::format("{}", fmt::join(parts, ", "));
}

}  // namespace

void add_model_files(std::string& out, const snapshot::Snapshot& snapshot, const RenderOptions& options) {
  if (snapshot.model_files.empty()) return;
  Table table({{.title = "SERVICE", .cut = Cut::end},
               {.title = "FILES", .align = Align::right},
               {.title = "SIZE", .align = Align::right},
               {.title = "CACHED", .align = Align::right},
               {.title = "SHARE", .align = Align::right},
               {.title = "READ", .align = Align::right}});
  for (const auto& files : snapshot.model_files) {
    const auto& figures = files.figures;
    const bool known = files.read_at > 0 && !figures.is_unknown();
    const double share = figures.bytes > 0
                             ? 100 * static_cast<double>(figures.cached) / static_cast<double>(figures.bytes)
                             : 0;
    table.add_row({{files.service},
                   {known ? std::to_string(figures.files) : "-"},
                   {known ? format_bytes(figures.bytes) : "-"},
                   {known ? format_bytes(figures.cached) : "-"},
                   {known && figures.bytes > 0 ? fmt::format("{:.0f} %", share) : "-"},
                   {files.read_at > 0 ? format_duration(options.now - files.read_at) + " ago" : "not yet"}});
    if (auto note = not_counted_text(figures); !note.empty()) table.add_note(std::move(note));
  }
  add_heading(out, options, "Model files in the page cache");
  out += table.render(options, 2);
}

}  // namespace allocd::ctl
