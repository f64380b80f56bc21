// SPDX-License-Identifier: Apache-2.0
#include "preflight/verdict.hpp"

#include <fmt/format.h>
#include <signal.h>

#include <array>
#include <cstdint>
#include <cstring>
#include <nlohmann/json.hpp>
#include <string_view>
#include <utility>

#include "allocator/classify.hpp"
#include "base/text.hpp"
#include "preflight/canary_exit.hpp"

namespace allocd::preflight {

namespace {

constexpr std::size_t kMaxQuote = 240;

std::string quote(std::string_view line) {
  const bool is_long = line.size() > kMaxQuote;
  return base::escape_for_terminal(line.substr(0, kMaxQuote)) + (is_long ? "..." : "");
}

// Lines -----------------------------------------------------------------------------------------------------

struct Pattern {
  std::string_view first;
  std::string_view second;  // "" for none; both must occur
  Reason reason;
  const char* sentence;
};

// What goes on after its complaint comes before what follows from it: with abort_conf jemalloc aborts as
// well.
constexpr std::array<Pattern, 9> kPatterns{
    {{"error while loading shared libraries: ", ": cannot open shared object file",
      Reason::missing_dependency, "a library that it needs is not there"},
     {"error while loading shared libraries: ", "", Reason::not_loaded, "the dynamic linker gave up"},
     {"symbol lookup error: ", "", Reason::not_loaded, "it needs a symbol that nobody defines"},
     {"ERROR: ld.so: object ", "", Reason::not_loaded, "the dynamic linker does not load it"},
     {"<jemalloc>: Unsupported system page size", "", Reason::wrong_page_size,
      "this build of jemalloc is for a smaller page size than this kernel's"},
     {"<jemalloc>: Invalid conf ", "", Reason::bad_malloc_conf, "jemalloc does not take the malloc_conf"},
     {"<jemalloc>: Out-of-range conf ", "", Reason::bad_malloc_conf,
      "jemalloc does not take the malloc_conf"},
     {"<jemalloc>: Conf string ", "", Reason::bad_malloc_conf, "jemalloc cannot read the malloc_conf"},
     {"<jemalloc>: Malformed conf ", "", Reason::bad_malloc_conf, "jemalloc cannot read the malloc_conf"}}};

Finding decide_line(std::string_view line) {
  for (const Pattern& pattern : kPatterns) {
    if (line.find(pattern.first) == std::string_view::npos) continue;
    if (line.find(pattern.second) == std::string_view::npos) continue;
    return {pattern.reason, fmt::format("{}: {}", pattern.sentence, quote(line))};
  }
  return {};
}

// A known complaint anywhere says more than how the run ended.
Finding decide_known_complaint(std::string_view errors) {
  while (!errors.empty()) {
    if (Finding found = decide_line(base::take_line(errors)); found.reason != Reason::ok) return found;
  }
  return {};
}

std::string said(const CanaryRun& run) {
  std::string_view errors = run.errors;
  while (!errors.empty()) {
    const auto line = base::trim(base::take_line(errors));
    if (!line.empty()) return ": " + quote(line);
  }
  return {};
}

// Endings ---------------------------------------------------------------------------------------------------

Finding decide_exit(int code) {
  switch (code) {
    case kCanarySound:
      return {};
    case kCanaryNoOwner:
      return {Reason::malloc_elsewhere, "the dynamic linker does not say whose malloc it is"};
    case kCanarySplitOwner:
      return {Reason::misbehaves,
              "it defines malloc, but not free and all of its kin: they come from another library"};
    case kCanaryNoMemory:
      return {Reason::misbehaves, "under it an ordinary allocation fails"};
    case kCanaryMisaligned:
      return {Reason::misbehaves, "it returns memory that is not aligned as asked"};
    case kCanaryTooSmall:
      return {Reason::misbehaves, "its malloc_usable_size says less than was asked for"};
    case kCanaryCorrupted:
      return {Reason::misbehaves, "memory from it does not keep what is written, or calloc's is not zero"};
    case kCanaryChildCrashed:
      return {Reason::broken_after_fork, "under it a forked child crashes"};
    case kCanaryChildHung:
      return {Reason::broken_after_fork, "under it a forked child hangs"};
    case kCanaryChildFailed:
      return {Reason::broken_after_fork, "under it a forked child gets wrong memory"};
    case kCanaryUsage:
    case kCanaryNoThread:
    case kCanaryNoFork:
    case kCanaryCannotReport:
      return {Reason::cannot_run, fmt::format("the canary could not do its work (exit code {})", code)};
    default:
      return {Reason::misbehaves, fmt::format("under it a small program exits with code {}", code)};
  }
}

Finding decide_ending(const CanaryRun& run) {
  if (run.flooded) return {Reason::output_flood, "under it a small program writes without end" + said(run)};
  switch (run.ending) {
    case Ending::not_run:
      return {Reason::cannot_run, run.why_not_run};
    case Ending::timed_out:
      return {Reason::timed_out, "under it a small program did not end within the time limit" + said(run)};
    case Ending::killed: {
      const char* name = ::sigabbrev_np(run.status);
      return {Reason::crashed, fmt::format("under it a small program is killed by SIG{}{}",
                                           name != nullptr ? name : std::to_string(run.status), said(run))};
    }
    case Ending::exited:
      break;
  }
  Finding found = decide_exit(run.status);
  if (found.reason != Reason::ok) found.sentence += said(run);
  return found;
}

// The report ------------------------------------------------------------------------------------------------

struct Report {
  std::string owner;
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
};

// The only line of stdout, or nothing: what a library writes there too is no report.
std::optional<Report> parse_report(std::string_view output) {
  const auto line = base::take_line(output);
  if (!output.empty()) return std::nullopt;
  const auto json = nlohmann::json::parse(line, nullptr, false);
  if (!json.is_object()) return std::nullopt;
  const auto owner = json.find("owner");
  const auto device = json.find("device");
  const auto inode = json.find("inode");
  if (owner == json.end() || device == json.end() || inode == json.end()) return std::nullopt;
  if (!owner->is_string() || !device->is_number_unsigned() || !inode->is_number_unsigned())
    return std::nullopt;
  return Report{owner->get<std::string>(), device->get<std::uint64_t>(), inode->get<std::uint64_t>()};
}

Finding decide_owner(const Report& report, const std::optional<Library>& library) {
  const bool is_right =
      library ? report.device == library->identity.device && report.inode == library->identity.inode
              : allocator::is_c_library_name(report.owner);
  if (is_right) return {};
  return {Reason::malloc_elsewhere, fmt::format("malloc belongs to {}, not to {}", quote(report.owner),
                                                library ? quote(library->path) : "glibc")};
}

}  // namespace

Verdict decide_verdict(const CanaryRun& run, const std::optional<Library>& library) {
  const auto report = parse_report(run.output);
  const std::string owner = report ? report->owner : std::string();
  if (Finding found = decide_known_complaint(run.errors); found.reason != Reason::ok) {
    return {std::move(found), owner};
  }
  if (Finding found = decide_ending(run); found.reason != Reason::ok) {
    if (run.status == kCanaryMisaligned && library && library->kind == allocator::Kind::mimalloc) {
      found.sentence += " (mimalloc up to 2.0.9 is known for it: install 2.1 or later)";
    }
    return {std::move(found), owner};
  }
  if (!report) {
    std::string_view output = run.output;
    return {
        {Reason::unexpected_output, "something else is written to stdout: " + quote(base::take_line(output))},
        ""};
  }
  if (Finding found = decide_owner(*report, library); found.reason != Reason::ok)
    return {std::move(found), owner};
  if (!run.errors.empty()) {
    return {{Reason::unexpected_output, "under it something is written to stderr" + said(run)}, owner};
  }
  return {{}, owner};
}

}  // namespace allocd::preflight
