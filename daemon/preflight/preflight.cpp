// SPDX-License-Identifier: Apache-2.0
#include "preflight/preflight.hpp"

#include <fmt/format.h>

#include <string_view>
#include <utility>

#include "base/text.hpp"
#include "preflight/tunables.hpp"
#include "preflight/verdict.hpp"

namespace allocd::preflight {

namespace {

using settings::Wanted;

constexpr std::string_view kTunables = "GLIBC_TUNABLES=";

PreflightResult refused(Finding finding, std::optional<Library> library = {}) {
  PreflightResult result;
  result.reason = finding.reason;
  result.sentence = std::move(finding.sentence);
  result.library = std::move(library);
  return result;
}

// An entry without a slash is searched for by the dynamic linker (ld.so(8)); only a path can be looked at.
Finding decide_entry(std::string_view entry) {
  if (entry.find('/') != std::string_view::npos) return decide_preload_path(entry);
  return decide_preload_path(entry.empty() ? "" : "/" + std::string(entry));
}

// Where the host finds what a service with its own root finds. Its library is proved with the host's C
// library: the canary is not inside.
std::vector<std::string> as_on_host(const std::string& root_directory, std::vector<std::string> entries,
                                    const std::optional<Library>& library) {
  if (root_directory.empty() || root_directory == "/") return entries;
  // An absolute link inside leads elsewhere when it is followed from outside.
  if (library) entries.front() = library->resolved;
  for (std::string& entry : entries) {
    if (entry.starts_with('/')) entry.insert(0, root_directory);
  }
  return entries;
}

std::vector<std::string> cache_key(const std::optional<Library>& library, const std::string& preload,
                                   const std::vector<std::string>& environment) {
  std::vector<std::string> key{preload};
  if (library) {
    const Identity& id = library->identity;
    key.push_back(fmt::format("{} {} {} {} {}", id.device, id.inode, id.size, id.modified_ns,
                              library->identity.build_id));
  }
  key.insert(key.end(), environment.begin(), environment.end());
  return key;
}

}  // namespace

Finding Preflight::check_words(const PreflightRequest& request) const {
  for (const std::string& entry : request.preload_after) {
    if (Finding found = decide_entry(entry); found.reason != Reason::ok) return found;
  }
  if (!request.root_directory.empty()) {
    if (Finding found = decide_preload_path(request.root_directory); found.reason != Reason::ok) return found;
  }
  for (const std::string_view variable : request.environment) {
    if (!variable.starts_with(kTunables)) continue;
    Finding found = decide_tunables(variable.substr(kTunables.size()), own_glibc_minor());
    if (found.reason != Reason::ok) return found;
  }
  return {};
}

// What else is preloaded is code of the service as well. A name without a path is looked for in the dynamic
// linker's own directories, which are root's.
Finding Preflight::check_trust(const PreflightRequest& request) const {
  for (const std::string& entry : request.preload_after) {
    if (!entry.starts_with('/')) continue;
    const auto walked = read_path(root_, request.root_directory, entry);
    if (!walked) return {Reason::library_not_found, entry + " of extra_preload is not there"};
    if (Finding found = decide_trust(*walked, options_.needs.trusted_owner); found.reason != Reason::ok)
      return found;
  }
  return {};
}

PreflightResult Preflight::check(const PreflightRequest& request) {
  if (request.allocator == Wanted::any) return {};
  if (Finding words = check_words(request); words.reason != Reason::ok) return refused(std::move(words));
  if (Finding trust = check_trust(request); trust.reason != Reason::ok) return refused(std::move(trust));
  if (request.allocator == Wanted::glibc) return prove(request, std::nullopt);
  auto library =
      find_library(root_, request.allocator, request.library, request.root_directory, options_.needs);
  if (!library) return refused(std::move(library.error()));
  return prove(request, std::move(*library));
}

PreflightResult Preflight::prove(const PreflightRequest& request, std::optional<Library> library) {
  std::vector<std::string> entries;
  if (library) entries.push_back(library->path);
  entries.insert(entries.end(), request.preload_after.begin(), request.preload_after.end());
  const std::vector<std::string> tried = as_on_host(request.root_directory, entries, library);
  auto key = cache_key(library, render_preload(tried), request.environment);
  if (const auto known = proved_.find(key); known != proved_.end()) return known->second;

  CanaryOptions options;
  options.canary = options_.canary;
  options.preload = render_preload(tried);
  options.environment = request.environment;
  options.time_limit = options_.time_limit;
  Verdict verdict = decide_verdict(runner_.run(options), library);
  if (verdict.finding.reason != Reason::ok && library) {
    verdict.finding.sentence = library->path + ": " + verdict.finding.sentence;
  }
  PreflightResult result = refused(std::move(verdict.finding), std::move(library));
  result.preload = render_preload(entries);
  result.owner = std::move(verdict.owner);
  proved_.emplace(std::move(key), result);
  return result;
}

}  // namespace allocd::preflight
