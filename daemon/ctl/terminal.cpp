// SPDX-License-Identifier: Apache-2.0
#include "ctl/terminal.hpp"

#include <langinfo.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <clocale>
#include <cstdlib>

namespace allocd::ctl {

namespace {

constexpr std::size_t kNarrowest = 80;
constexpr std::size_t kWidest = 200;

std::optional<std::string_view> environment(const char* name) {
  const char* value = std::getenv(name);  // NOLINT(concurrency-mt-unsafe): one thread
  return value == nullptr ? std::nullopt : std::optional<std::string_view>(value);
}

std::size_t terminal_width() {
  winsize size{};
  if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return kNarrowest;
  return std::clamp<std::size_t>(size.ws_col, kNarrowest, kWidest);
}

bool locale_is_utf8() {
  std::setlocale(LC_CTYPE, "");  // NOLINT(concurrency-mt-unsafe): one thread
  return std::string_view(::nl_langinfo(CODESET)) == "UTF-8";
}

}  // namespace

bool decide_color(ColorMode mode, const Surroundings& surroundings) {
  if (mode != ColorMode::automatic) return mode == ColorMode::always;
  if (!surroundings.is_terminal) return false;
  if (surroundings.no_color && !surroundings.no_color->empty()) return false;
  return surroundings.term && *surroundings.term != "dumb";
}

RenderOptions read_render_options(ColorMode mode) {
  const bool is_terminal = ::isatty(STDOUT_FILENO) == 1;
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return {.width = is_terminal ? terminal_width() : kNarrowest,
          .color = decide_color(mode, {is_terminal, environment("NO_COLOR"), environment("TERM")}),
          .utf8 = locale_is_utf8(),
          .now = std::chrono::duration<double>(now).count()};
}

}  // namespace allocd::ctl
