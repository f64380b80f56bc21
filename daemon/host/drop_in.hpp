// SPDX-License-Identifier: Apache-2.0
// Where allocd's own files of a unit lie (systemd.unit(5), podman-systemd.unit(5)): the drop-in's name sorts
// last, so that it wins. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace allocd::host {

inline constexpr std::string_view kDropInName = "zz-allocd.conf";
// Beside it, and no drop-in to systemd for want of ".conf": what an EnvironmentFile= of ours names.
inline constexpr std::string_view kEnvironmentFileName = "zz-allocd.env";

inline constexpr std::string_view kSystemUnits = "/etc/systemd/system";
inline constexpr std::string_view kRuntimeUnits = "/run/systemd/system";
inline constexpr std::string_view kSystemQuadlets = "/etc/containers/systemd";
inline constexpr std::string_view kRuntimeQuadlets = "/run/containers/systemd";

inline constexpr std::string_view kTransientUnits = "/run/systemd/transient/";

// "vllm.service" for a path "DIR/vllm.service.d/FILE"; "" for a path of another form.
[[nodiscard]] std::string owner_of(std::string_view path);

// "vllm@.service" for "vllm@a.service"; nothing for a unit that is no instance.
[[nodiscard]] std::optional<std::string> template_of(std::string_view unit);

// The directory of drop-ins of a unit, a template or a quadlet: "/etc/systemd/system/vllm.service.d".
[[nodiscard]] std::string drop_in_directory(std::string_view units, std::string_view owner);

// "vllm.container" for a source in a quadlet directory; nothing for any other.
[[nodiscard]] std::optional<std::string> quadlet_of(std::string_view source_path);

// Whether a path lies where quadlets do: podman's generator reads it, systemd does not.
[[nodiscard]] bool is_quadlet_path(std::string_view path);

// Where podman looks for drop-ins of a quadlet, first come first served for each name.
[[nodiscard]] std::vector<std::string> quadlet_drop_in_directories(std::string_view quadlet);

// Every path at which files of ours may reach the unit: both names, the unit and its template, /etc and /run,
// and the quadlet it was made from.
[[nodiscard]] std::vector<std::string> owned_paths_of(std::string_view unit, std::string_view source_path);

// For "vllm@a.service": the instance's own directory first, then the template's.
[[nodiscard]] std::vector<std::string> drop_in_paths_of(std::string_view unit);

}  // namespace allocd::host
