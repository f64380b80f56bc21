// SPDX-License-Identifier: Apache-2.0
// Input: a letter that says which file of a small machine, then its content. The whole machine is read with
// it: this reaches the parsers that only read_node calls. Never a crash, and the same files give the same
// state.
#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <string_view>

#include "host/root.hpp"
#include "node/read.hpp"

namespace {

using namespace allocd;

struct File {
  char letter;
  const char* path;
  const char* content;
};

// One of each kind, as Linux 6.18 writes them; so that what stands beside the damaged file is sound.
constexpr std::array kFiles{
    File{'m', "proc/meminfo",
         "MemTotal:       16303008 kB\nMemFree:         9303008 kB\nMemAvailable:   12303008 kB\n"},
    File{'v', "proc/vmstat",
         "nr_free_pages 100\nthp_fault_alloc 5\nnr_foll_pin_acquired 7\nnr_foll_pin_released 7\n"},
    File{'c', "proc/cmdline", "BOOT_IMAGE=/vmlinuz root=/dev/vda1 iommu=pt intel_iommu=on quiet\n"},
    File{'p', "proc/pressure/memory",
         "some avg10=0.00 avg60=0.00 avg300=0.00 total=9\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=2\n"},
    File{'b', "proc/sys/kernel/numa_balancing", "1\n"},
    File{'w', "proc/sys/vm/swappiness", "60\n"},
    File{'t', "sys/kernel/mm/transparent_hugepage/enabled", "always [madvise] never\n"},
    File{'k', "sys/kernel/mm/transparent_hugepage/khugepaged/pages_to_scan", "4096\n"},
    File{'z', "sys/kernel/mm/transparent_hugepage/hugepages-64kB/enabled",
         "always inherit madvise [never]\n"},
    File{'h', "sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages", "16\n"},
    File{'H', "sys/devices/system/node/node0/hugepages/hugepages-2048kB/nr_hugepages", "16\n"},
    File{'o', "sys/devices/system/node/online", "0-1\n"},
    File{'x', "sys/devices/system/node/has_cpu", "0\n"},
    File{'y', "sys/devices/system/node/has_memory", "0-1\n"},
    File{'u', "sys/devices/system/node/node0/cpulist", "0-3,8\n"},
    File{'d', "sys/devices/system/node/node0/distance", "10 21\n"},
    File{'n', "sys/devices/system/node/node0/meminfo",
         "Node 0 MemTotal:       16303008 kB\nNode 0 MemFree:         9303008 kB\n"},
    File{'s', "sys/devices/system/node/node0/numastat", "numa_hit 100\nnuma_miss 0\n"},
    File{'N', "sys/devices/system/node/node1/meminfo",
         "Node 1 MemTotal:       16303008 kB\nNode 1 MemFree:         9303008 kB\n"},
    File{'i', "sys/kernel/iommu_groups/0/type", "DMA-FQ\n"},
    File{'I', "sys/kernel/iommu_groups/1/type", "identity\n"},
    File{'C', "sys/class/iommu/dmar0/devices/none", ""},
};

class Machine {
 public:
  Machine() {
    std::string name = (std::filesystem::temp_directory_path() / "allocd-fuzz-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) std::abort();
    path_ = name;
    for (const File& file : kFiles) {
      std::filesystem::create_directories((path_ / file.path).parent_path());
      write(file, file.content);
    }
    auto root = host::Root::open(path_.string());
    if (!root) std::abort();
    root_.emplace(std::move(*root));
  }
  ~Machine() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  Machine(const Machine&) = delete;
  Machine& operator=(const Machine&) = delete;

  void write(const File& file, std::string_view content) const {
    std::ofstream out(path_ / file.path, std::ios::binary | std::ios::trunc);
    out << content;
  }
  [[nodiscard]] node::NodeState read() const { return node::read_node(*root_); }

 private:
  std::filesystem::path path_;
  std::optional<host::Root> root_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const Machine machine;
  if (size == 0) return 0;
  for (const File& file : kFiles) {
    if (file.letter != static_cast<char>(data[0])) continue;
    machine.write(file, {reinterpret_cast<const char*>(data) + 1, size - 1});
    const auto state = machine.read();
    // Every file beside it is sound: at most what became of this one is told.
    if (state.problems.size() > 2 * kFiles.size()) std::abort();
    for (const auto& group : state.iommu.groups) {
      if (group.first.empty() || group.first.find_first_of(" \n") != std::string::npos) std::abort();
    }
    for (const auto& node : state.numa.nodes) {
      if (node.distances.size() != 0 && node.distances.size() != state.numa.nodes.size()) std::abort();
    }
    machine.write(file, file.content);
  }
  return 0;
}
