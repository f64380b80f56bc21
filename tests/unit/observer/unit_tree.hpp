// SPDX-License-Identifier: Apache-2.0
// A tree with one unit in it, as systemd would tell of it.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "host/root.hpp"
#include "host/unit_manager.hpp"
#include "support/catch.hpp"
#include "support/temporary_directory.hpp"
#include "unitfile/drop_in_text.hpp"

namespace allocd::test {

inline const std::string kUnitFile = "/etc/systemd/system/vllm.service";
inline const std::string kOurs = "/etc/systemd/system/vllm.service.d/zz-allocd.conf";
inline const std::string kOurEnvironment = "/etc/systemd/system/vllm.service.d/zz-allocd.env";

inline std::string owned_text(const std::vector<std::string>& lines) {
  return unitfile::render_owned_text({"vllm.service", "jemalloc", "1"}, {lines});
}

class UnitTree {
 public:
  UnitTree() : root(*host::Root::open(directory.path().string())) {
    facts.name = "vllm.service";
    facts.load_state = "loaded";
    facts.active_state = "active";
    facts.fragment_path = kUnitFile;
    facts.exec_start = {{"/usr/bin/vllm", "serve"}};
    write(kUnitFile, "[Service]\nExecStart=/usr/bin/vllm serve\n");
  }

  void write(const std::string& path, const std::string& text) const {
    directory.write(path.substr(1), text);
  }
  void remove(const std::string& path) const {
    std::filesystem::remove_all(directory.path() / path.substr(1));
  }
  // A drop-in of ours, loaded.
  void apply(const std::vector<std::string>& lines) {
    write(kOurs, owned_text(lines));
    facts.drop_in_paths = {kOurs};
  }

  test::TemporaryDirectory directory;
  host::Root root;
  host::UnitFacts facts;
};

}  // namespace allocd::test
