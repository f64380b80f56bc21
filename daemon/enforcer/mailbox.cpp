// SPDX-License-Identifier: Apache-2.0
#include "enforcer/mailbox.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <tuple>
#include <utility>

#include "host/whole_file.hpp"

namespace allocd::enforcer {

namespace {

constexpr const char* kRequests = "/requests";
constexpr const char* kReports = "/reports";
constexpr std::string_view kSuffix = ".json";
constexpr mode_t kOwnerOnly = 0700;

struct Waiting {
  timespec made{};
  std::string id;
};

bool is_older(const Waiting& left, const Waiting& right) {
  return std::tuple(left.made.tv_sec, left.made.tv_nsec, left.id) <
         std::tuple(right.made.tv_sec, right.made.tv_nsec, right.id);
}

std::vector<Waiting> list_waiting(const host::Root& root, const std::string& directory) {
  std::vector<Waiting> waiting;
  const auto names = root.list_directory(directory);
  if (!names) return {};
  for (const std::string_view name : *names) {
    if (!name.ends_with(kSuffix)) continue;
    const std::string id(name.substr(0, name.size() - kSuffix.size()));
    const auto status = root.status(directory + "/" + std::string(name));
    if (is_request_id(id) && status && S_ISREG(status->st_mode) && status->st_uid == ::geteuid())
      waiting.push_back({status->st_mtim, id});
  }
  std::ranges::sort(waiting, is_older);
  return waiting;
}

std::chrono::seconds age_of(const timespec& made) {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::seconds>(now) - std::chrono::seconds(made.tv_sec);
}

}  // namespace

base::Result<void> Mailbox::prepare() const {
  for (const std::string& path : {directory_, directory_ + kRequests, directory_ + kReports}) {
    const std::string relative = path.substr(1);
    if (::mkdirat(root_.fd(), relative.c_str(), kOwnerOnly) != 0 && errno != EEXIST)
      return base::fault_from_errno("make", path, errno);
    struct stat status{};
    if (::fstatat(root_.fd(), relative.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0)
      return base::fault_from_errno("look at", path, errno);
    constexpr mode_t kOthers = 0077;
    if (!S_ISDIR(status.st_mode) || status.st_uid != ::geteuid() || (status.st_mode & kOthers) != 0)
      return base::fault("use", path, "it is not a directory of root's that others cannot enter");
  }
  return {};
}

base::Result<void> Mailbox::post(const Request& request) const {
  if (!is_request_id(request.id)) return base::fault("post", request.id, "that is no name of a request");
  constexpr mode_t kPrivate = 0600;
  return host::write_whole_file(root_, directory_ + kRequests, request.id + std::string(kSuffix),
                                render_request(request), kPrivate);
}

base::Result<Report> Mailbox::collect(const std::string& id) const {
  if (!is_request_id(id)) return base::fault("collect", id, "that is no name of a request");
  const std::string path = directory_ + kReports + "/" + id + std::string(kSuffix);
  const auto text = root_.read_file(path);
  if (!text) return std::unexpected(text.error());
  ::unlinkat(root_.fd(), path.substr(1).c_str(), 0);
  return parse_report(*text);
}

void Mailbox::withdraw(const std::string& id) const {
  if (!is_request_id(id)) return;
  const std::string path = directory_ + kRequests + "/" + id + std::string(kSuffix);
  ::unlinkat(root_.fd(), path.substr(1).c_str(), 0);
}

std::vector<std::string> Mailbox::waiting() const {
  std::vector<std::string> ids;
  for (auto& one : list_waiting(root_, directory_ + kRequests)) ids.push_back(std::move(one.id));
  return ids;
}

std::vector<Request> Mailbox::pending() const {
  constexpr std::chrono::minutes kValid{15};
  const auto waiting = list_waiting(root_, directory_ + kRequests);
  std::vector<Request> requests;
  for (const auto& [made, id] : waiting) {
    if (age_of(made) > kValid) {
      refuse(id, "it has waited for more than 15 minutes: ask again");
      continue;
    }
    const auto text = root_.read_file(directory_ + kRequests + "/" + id + std::string(kSuffix));
    auto request = text ? parse_request(*text) : base::Result<Request>(std::unexpected(text.error()));
    if (request && request->id == id) {
      requests.push_back(std::move(*request));
      continue;
    }
    refuse(id, request ? "the request does not carry its own name" : request.error().message());
  }
  return requests;
}

void Mailbox::refuse(const std::string& id, std::string why) const {
  Report refused;
  refused.request.id = id;
  refused.error = std::move(why);
  (void)answer(refused);
}

base::Result<void> Mailbox::answer(const Report& report) const {
  const auto& id = report.request.id;
  if (!is_request_id(id)) return base::fault("answer", id, "that is no name of a request");
  constexpr mode_t kPrivate = 0600;
  auto written =
      host::write_whole_file(root_, directory_ + kReports, report.request.id + std::string(kSuffix),
                             render_report(report), kPrivate);
  if (written) withdraw(report.request.id);
  return written;
}

void Mailbox::forget_old_reports() const {
  constexpr std::chrono::hours kKept{24};
  for (const auto& [made, id] : list_waiting(root_, directory_ + kReports)) {
    if (age_of(made) < kKept) break;  // the oldest come first
    const std::string path = directory_ + kReports + "/" + id + std::string(kSuffix);
    ::unlinkat(root_.fd(), path.substr(1).c_str(), 0);
  }
}

}  // namespace allocd::enforcer
