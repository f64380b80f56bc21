// SPDX-License-Identifier: Apache-2.0
// Trees composed after the drivers' documentation: there was no GPU to capture one from.
#include "kernel/gpu.hpp"

#include <filesystem>
#include <string>
#include <vector>

#include "support/catch.hpp"
#include "support/machine_tree.hpp"

using namespace allocd;
using kernel::parse_gpu_path;
using kernel::parse_nvidia_minor;
using kernel::read_gpu_nodes;

namespace {

// README of NVIDIA's driver, "The /proc interface": /proc/driver/nvidia/gpus/DOMAIN:BUS:DEVICE.FUNCTION.
const std::string kInformation =
    "Model: \t\t NVIDIA H100 80GB HBM3\nIRQ:   \t\t 512\nGPU UUID: \t GPU-0\nVideo BIOS: \t 96.00\n"
    "Bus Type: \t PCIe\nDMA Size: \t 52 bits\nBus Location: \t 0000:3b:00.0\nDevice Minor: \t 1\n";

void add_nvidia(const test::MachineTree& tree, const std::string& address, const std::string& information,
                const std::string& node) {
  tree.write("/proc/driver/nvidia/gpus/" + address + "/information", information);
  tree.write("/sys/bus/pci/devices/" + address + "/numa_node", node);
}

}  // namespace

TEST_CASE("gpu: device files as maps shows them") {
  CHECK(parse_gpu_path("/dev/nvidia0") == "nvidia0");
  CHECK(parse_gpu_path("/dev/nvidia15") == "nvidia15");
  CHECK(parse_gpu_path("/dev/dri/renderD128") == "renderD128");
  for (const std::string_view path : {"/dev/nvidiactl", "/dev/nvidia-uvm", "/dev/nvidia", "/dev/nvidia0x",
                                      "/dev/nvidia00000", "/dev/dri/card0", "/tmp/dev/nvidia0",
                                      "/dev/nvidia0 (deleted)", "/dev/dri/nvidia0", "", "/dev/renderD128"}) {
    CAPTURE(path);
    CHECK_FALSE(parse_gpu_path(path));
  }
}

TEST_CASE("gpu: the minor of an NVIDIA GPU") {
  CHECK(parse_nvidia_minor(kInformation) == 1U);
  for (const std::string_view text : {"", "Device Minor:", "Device Minor: x\n", "Device Minor: -1\n",
                                      "Device Minor: 99999999999\n", "Other Device Minor: 1\n"}) {
    CAPTURE(text);
    CHECK_FALSE(parse_nvidia_minor(text));
  }
}

TEST_CASE("gpu: the node of each device, and none where it is not told") {
  const test::MachineTree tree;
  add_nvidia(tree, "0000:3b:00.0", kInformation, "1\n");
  add_nvidia(tree, "0000:5e:00.0", "Device Minor: \t 0\n", "-1\n");
  add_nvidia(tree, "0000:86:00.0", "nonsense", "0\n");
  tree.write("/sys/devices/pci0/numa_node", "3\n");
  tree.make_directory("/sys/class/drm/renderD128");
  std::filesystem::create_directory_symlink("../../../devices/pci0",
                                            tree.path_of("/sys/class/drm/renderD128/device"));
  tree.make_directory("/sys/class/drm/renderD129");
  const std::vector<std::string> devices{"nvidia0", "nvidia1", "nvidia2", "renderD128", "renderD129"};
  CHECK(read_gpu_nodes(tree.root(), devices) ==
        std::map<std::string, unsigned>{{"nvidia1", 1}, {"renderD128", 3}});
  const test::MachineTree empty;
  CHECK(read_gpu_nodes(empty.root(), devices).empty());
}
