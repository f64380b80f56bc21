// SPDX-License-Identifier: Apache-2.0
#include "node/reader.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "base/text.hpp"

namespace allocd::node {

namespace {

constexpr std::size_t kShownBytes = 40;

// ENODEV and ESRCH: a node or a group went away while its files were read. EOPNOTSUPP: pressure with psi=0.
ProblemKind kind_of(int error) {
  switch (error) {
    case ENOENT:
    case ENOTDIR:
    case ENODEV:
    case ESRCH:
    case EOPNOTSUPP:
      return ProblemKind::missing;
    case EACCES:
    case EPERM:
      return ProblemKind::not_permitted;
    case EFBIG:
      return ProblemKind::malformed;
    default:
      return ProblemKind::io;
  }
}

std::string describe(int error) {
  if (error == EFBIG) return fmt::format("longer than {} bytes", kLongestFile);
  const char* text = ::strerrordesc_np(error);
  return text != nullptr ? text : fmt::format("error {}", error);
}

std::string describe_text(std::string_view text) {
  if (text.empty()) return "empty";
  const auto shown = base::escape_for_terminal(text.substr(0, kShownBytes));
  return fmt::format("unexpected content \"{}{}\"", shown, text.size() > kShownBytes ? "..." : "");
}

}  // namespace

std::string Folder::path_of(std::string_view name) const {
  return fmt::format("{}/{}", path, name);
}

std::optional<Folder> Reader::open(std::string_view path, WhenMissing when) {
  auto fd = root_->open_directory(path);
  if (fd) return Folder{std::move(*fd), std::string(path)};
  note(std::string(path), fd.error().code, when);
  return std::nullopt;
}

std::optional<Folder> Reader::open_inside(const Folder& folder, const std::string& name) {
  return open(folder.path_of(name), WhenMissing::ignore);
}

std::optional<std::vector<std::string>> Reader::list(const Folder& folder) {
  auto names = host::list_directory(folder.fd.get());
  if (names) return std::move(*names);
  note(folder.path, names.error().code, WhenMissing::note);
  return std::nullopt;
}

std::optional<std::string_view> Reader::read(int directory, std::string_view folder, std::string_view name,
                                             WhenMissing when) {
  const std::string relative(name.substr(std::min(name.find_first_not_of('/'), name.size())));
  const int error = host::read_file_into(directory, relative.c_str(), buffer_, kLongestFile);
  if (error == 0) return buffer_;
  note(folder.empty() ? std::string(name) : fmt::format("{}/{}", folder, name), error, when);
  return std::nullopt;
}

void Reader::note(std::string path, int error, WhenMissing when) {
  const auto kind = kind_of(error);
  if (kind == ProblemKind::missing && when == WhenMissing::ignore) return;
  problems_->push_back({std::move(path), kind, describe(error)});
}

void Reader::note_malformed(std::string path) {
  problems_->push_back({std::move(path), ProblemKind::malformed, describe_text(buffer_)});
}

bool Reader::is_missing(std::string_view path) const {
  return std::ranges::any_of(*problems_, [&](const ReadProblem& problem) {
    return problem.kind == ProblemKind::missing && problem.path == path;
  });
}

Figure Reader::number(const Folder& folder, std::string_view name, WhenMissing when) {
  return parsed(folder, name, kernel::parse_number, when);
}

std::optional<bool> Reader::flag(const Folder& folder, std::string_view name) {
  return parsed(folder, name, kernel::parse_switch);
}

Word Reader::choice(const Folder& folder, std::string_view name, WhenMissing when) {
  const auto chosen = [](std::string_view text) -> Word {
    const auto selection = kernel::parse_selection(text);
    return selection ? Word(selection->chosen) : std::nullopt;
  };
  return parsed(folder, name, chosen, when);
}

Counters Reader::numbers(const Folder& folder) {
  Counters found;
  const auto names = list(folder);
  if (!names) return found;
  for (const auto& name : *names) {
    // The inner nothing: a choice among words. The outer one: neither a number nor that.
    const auto value = parsed(
        folder, name,
        [](std::string_view text) -> std::optional<Figure> {
          if (const auto number = kernel::parse_number(text)) return Figure(number);
          const auto selection = kernel::parse_selection(text);
          if (selection && !selection->options.empty()) return Figure();
          return std::nullopt;
        },
        WhenMissing::ignore);
    if (value && *value) found.emplace(name, **value);
  }
  return found;
}

}  // namespace allocd::node
