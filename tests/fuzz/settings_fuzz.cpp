// SPDX-License-Identifier: Apache-2.0
// Any bytes as a settings file: no crash, no exception, no problem that points outside of the file; and what
// is accepted can be relied on.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "settings/load.hpp"
#include "settings/policy_values.hpp"
#include "settings/window.hpp"

namespace {

using namespace allocd::settings;

void require(bool holds) {
  if (!holds) std::abort();
}

void check_service(const Settings& settings, const Service& service) {
  require((service.restart == RestartWhen::window) == !service.windows.empty());
  for (const auto& window : service.windows) require(parse_window(render_window(window)) == window);
  for (const auto& path : service.extra_preload) require(parse_preload_path(path) == path);
  if (service.library) require(parse_preload_path(*service.library) == *service.library);
  if (!service.malloc_conf.empty()) require(service.allocator == Wanted::jemalloc);
  if (!service.health.empty()) require(parse_health_url(service.health).has_value());
  if (effective_mode(settings, service) == Mode::enforce) require(selects_units(service));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(data, data + size);
  const auto loaded = allocd::settings::parse_settings({{"fuzz.yaml", text}});
  if (loaded) {
    for (const auto& service : loaded->services) check_service(*loaded, service);
    return 0;
  }
  const auto lines = std::count(text.begin(), text.end(), '\n') + 1;
  for (const auto& problem : loaded.error()) {
    if (problem.message.empty() || problem.position.line > lines) std::abort();
    if (problem.position.column > static_cast<int>(problem.source_line.size()) + 1) std::abort();
  }
  static_cast<void>(allocd::settings::render_problems(loaded.error()));
  return 0;
}
