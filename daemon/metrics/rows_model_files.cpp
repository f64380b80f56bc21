// SPDX-License-Identifier: Apache-2.0
// Metrics of the page cache of model files.
#include "metrics/rows.hpp"

namespace allocd::metrics {
namespace {

using kernel::PageCache;
using snapshot::ModelFiles;

constexpr Type kGauge = Type::gauge;

// None of its files could be looked at, so that 0 files would be a claim about all of them.
bool is_known(const ModelFiles& files) {
  return !files.figures.is_unknown();
}

template <auto Member>
void counted(const ModelFiles& files, const Sink& out) {
  if (is_known(files)) out.add(files.figures.*Member);
}

void unreadable(const ModelFiles& files, const Sink& out) {
  const auto& figures = files.figures;
  out.add(figures.not_permitted, {{"reason", "file_not_permitted"}});
  out.add(figures.search.not_permitted, {{"reason", "folder_not_permitted"}});
  out.add(figures.unsupported, {{"reason", "unsupported"}});
  out.add(figures.failed, {{"reason", "failed"}});
}

constexpr Row kRows[] = {
    {{"allocd_model_files", kGauge, Scope::model_files, "policy",
      "Files that are counted; no figures of a service none of whose files could be looked at",
      "model_paths of the service"},
     counted<&PageCache::files>},
    {{"allocd_model_files_bytes", kGauge, Scope::model_files, "policy", "Size of the counted files",
      "size of each file"},
     counted<&PageCache::bytes>},
    {{"allocd_model_files_cached_bytes", kGauge, Scope::model_files, "policy",
      "How much of them is in the page cache", "cachestat(2), mincore(2) before Linux 6.5"},
     counted<&PageCache::cached>},
    {{"allocd_model_files_dirty_bytes", kGauge, Scope::model_files, "policy",
      "How much of that is not written back yet; no sample where mincore(2) had to serve", "cachestat(2)"},
     [](const ModelFiles& m, const Sink& out) {
       if (is_known(m) && !m.figures.used_mincore) out.add(m.figures.dirty);
     }},
    {{"allocd_model_files_unreadable", kGauge, Scope::model_files, "policy,reason",
      "Files and folders that are not counted: the kernel tells a file's cache to its owner and to who may "
      "write it",
      "EPERM and EACCES"},
     unreadable},
    {{"allocd_model_files_complete", kGauge, Scope::model_files, "policy",
      "1 if everything the patterns name was looked at, 0 if time or a limit ended it", "the observer"},
     [](const ModelFiles& m, const Sink& out) { out.add(m.figures.is_complete()); }},
    {{"allocd_model_files_read_timestamp_seconds", kGauge, Scope::model_files, "policy",
      "When they were looked at", "clock of the observer"},
     [](const ModelFiles& m, const Sink& out) { out.add(m.read_at); }},
    {{"allocd_model_files_read_duration_seconds", kGauge, Scope::model_files, "policy", "How long that took",
      "clock of the observer"},
     [](const ModelFiles& m, const Sink& out) { out.add(m.duration); }},
};

}  // namespace

std::span<const Row> model_files_rows() {
  return kRows;
}

}  // namespace allocd::metrics
