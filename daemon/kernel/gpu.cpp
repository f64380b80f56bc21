// SPDX-License-Identifier: Apache-2.0
#include "kernel/gpu.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.hpp"
#include "kernel/attribute.hpp"

namespace allocd::kernel {

namespace {

constexpr std::string_view kNvidia = "nvidia";
constexpr std::string_view kRender = "renderD";
constexpr std::string_view kNvidiaFolder = "/proc/driver/nvidia/gpus";
constexpr std::string_view kPciFolder = "/sys/bus/pci/devices";
constexpr std::string_view kDrmFolder = "/sys/class/drm";
constexpr std::size_t kMostDigits = 4;
constexpr std::size_t kLongestInformation = std::size_t{64} << 10U;

bool is_number(std::string_view text) {
  return !text.empty() && text.size() <= kMostDigits &&
         text.find_first_not_of("0123456789") == std::string_view::npos;
}

// "-1\n" is a node that the firmware does not tell.
std::optional<unsigned> read_node_of(const host::Root& root, const std::string& device) {
  const auto text = root.read_file(device + "/numa_node");
  const auto node = text ? parse_number(*text) : std::nullopt;
  if (!node || *node > kMaxId) return std::nullopt;
  return static_cast<unsigned>(*node);
}

std::optional<unsigned> read_nvidia_node(const host::Root& root, unsigned minor) {
  const auto gpus = root.list_directory(kNvidiaFolder);
  if (!gpus) return std::nullopt;
  for (const auto& address : *gpus) {
    const auto text =
        root.read_file(fmt::format("{}/{}/information", kNvidiaFolder, address), kLongestInformation);
    if (text && parse_nvidia_minor(*text) == minor) {
      return read_node_of(root, fmt::format("{}/{}", kPciFolder, address));
    }
  }
  return std::nullopt;
}

}  // namespace

std::optional<std::string_view> parse_gpu_path(std::string_view path) {
  for (const auto& [folder, prefix] :
       {std::pair{std::string_view("/dev/"), kNvidia}, std::pair{std::string_view("/dev/dri/"), kRender}}) {
    if (!path.starts_with(folder)) continue;
    const auto name = path.substr(folder.size());
    if (name.starts_with(prefix) && is_number(name.substr(prefix.size()))) return name;
  }
  return std::nullopt;
}

std::optional<unsigned> parse_nvidia_minor(std::string_view text) {
  while (!text.empty()) {
    const auto line = base::take_line(text);
    const auto colon = line.find(':');
    if (colon == std::string_view::npos || base::trim(line.substr(0, colon)) != "Device Minor") continue;
    const auto value = base::trim(line.substr(colon + 1));
    const auto minor = is_number(value) ? base::parse_u64(value) : std::nullopt;
    return minor ? std::optional(static_cast<unsigned>(*minor)) : std::nullopt;
  }
  return std::nullopt;
}

std::map<std::string, unsigned> read_gpu_nodes(const host::Root& root, std::span<const std::string> devices) {
  std::map<std::string, unsigned> nodes;
  for (const auto& name : devices) {
    std::optional<unsigned> node;
    if (name.starts_with(kRender)) node = read_node_of(root, fmt::format("{}/{}/device", kDrmFolder, name));
    if (name.starts_with(kNvidia)) {
      const auto minor = base::parse_u64(std::string_view(name).substr(kNvidia.size()));
      if (minor && *minor <= kMaxId) node = read_nvidia_node(root, static_cast<unsigned>(*minor));
    }
    if (node) nodes.emplace(name, *node);
  }
  return nodes;
}

}  // namespace allocd::kernel
