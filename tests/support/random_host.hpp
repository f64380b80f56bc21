// SPDX-License-Identifier: Apache-2.0
// Random hosts and random policies for them, out of what real and hostile units say.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "support/plan_host.hpp"

namespace allocd::test {

class HostMaker {
 public:
  explicit HostMaker(unsigned seed) : random_(seed) {}

  bool one_in(std::size_t count) { return below(count) == 0; }
  std::size_t below(std::size_t limit) { return random_() % limit; }
  template <typename Range>
  const auto& pick(const Range& range) {
    return *(std::begin(range) + static_cast<std::ptrdiff_t>(below(std::size(range))));
  }
  template <typename Range>
  void shuffle(Range& range) {
    std::ranges::shuffle(range, random_);
  }

  // No file of our name is there.
  PlanHost host() {
    PlanHost host;
    for (const auto& [name, fragment] : kUnits) {
      if (one_in(3)) continue;
      host.units.push_back({.name = name});
      spoil(host.units.back());
      if (const auto& quadlet = host.units.back().source_path; !quadlet.empty()) {
        host.files[quadlet] = container_text();
        if (one_in(2)) host.files[quadlet + ".d/10-own.conf"] = container_text();
      }
      host.files[std::string(pick(PlanHost::lookup_paths())) + "/" + fragment] = unit_text("ExecStart=/x\n");
    }
    for (auto count = below(5); count > 0; --count) add_drop_in(host);
    for (const char* path : kEnvironmentFiles) {
      if (!one_in(3)) host.files[path] = environment_text();
      if (one_in(12)) host.unreadable.insert(path);
    }
    if (one_in(5)) host.manager_environment = {"LD_PRELOAD=/opt/managers.so", "LANG=C"};
    host.settings = settings();
    return host;
  }

  settings::Settings settings() {
    settings::Settings made;
    made.persist = one_in(4) ? settings::Persist::runtime : settings::Persist::system;
    for (std::size_t count = 1 + below(3); made.services.size() < count;) {
      made.services.push_back(service("s" + std::to_string(made.services.size())));
    }
    return made;
  }

  // Of our name, and neither whole nor ours: what an operator may leave behind.
  void spoil_owned_files(PlanHost& host) {
    for (auto& [path, text] : host.files) {
      if (!is_owned_name(path) || !one_in(4)) continue;
      if (one_in(2)) {
        text += "# edited\n";
      } else if (one_in(2)) {
        text = "[Service]\nEnvironment=LD_PRELOAD=/opt/foreign.so\n";
      } else {
        host.irregular.insert(path);
      }
    }
    if (!one_in(4)) return;
    const std::string path = host::drop_in_directory(pick(PlanHost::lookup_paths()), pick(kOwners)) + "/" +
                             std::string(host::kDropInName);
    host.files.emplace(path, "[Service]\nEnvironment=LD_PRELOAD=/opt/foreign.so\n");
  }

 private:
  struct Named {
    const char* name;
    const char* fragment;
  };
  static constexpr Named kUnits[] = {
      {"vllm.service", "vllm.service"},         {"vllm@a.service", "vllm@.service"},
      {"vllm@b.service", "vllm@.service"},      {"vllm@c-d.service", "vllm@.service"},
      {"tts-main.service", "tts-main.service"}, {"odd\\x2dname.service", "odd\\x2dname.service"},
      {"sg@1.service", "sg@.service"},          {"sg@2.service", "sg@.service"},
      {"100%.service", "100%.service"},         {"web.service", "web.service"}};
  static constexpr const char* kOwners[] = {"vllm.service",   "vllm@.service",        "vllm@a.service",
                                            "vllm@b.service", "tts-main.service",     "tts-.service",
                                            "service",        "odd\\x2dname.service", "sg@.service",
                                            "sg@1.service",   "100%.service",         "web.service"};
  static constexpr const char* kPatterns[] = {"vllm.service",   "vllm@*.service", "vllm@*.service",
                                              "vllm@a.service", "vllm@?.service", "vllm*.service",
                                              "tts-*.service",  "sg@*.service",   "odd\\x2dname.service",
                                              "sg@1.service",   "100%.service",   "*.service"};
  static constexpr const char* kEnvironmentFiles[] = {"/etc/default/one", "/etc/default/two"};
  static constexpr const char* kLines[] = {
      "Environment=LD_PRELOAD=/opt/shim.so",
      "Environment=LD_PRELOAD=/usr/lib/libtcmalloc.so.4:/opt/shim.so",
      "Environment=LD_PRELOAD=/old/libjemalloc.so.2:/opt/shim.so",
      "Environment=\"LD_PRELOAD=/a.so  /b.so:/a.so\"",
      "Environment=LD_PRELOAD=",
      "Environment=LD_PRELOAD=/opt/%i/%n.so",
      "Environment=LD_PRELOAD=/opt/%%/$HOME.so",
      "Environment='LD_PRELOAD=/opt/with\"quote.so' A=1",
      "Environment=LD_PRELOAD=/opt/%H.so",
      "Environment=MALLOC_CONF=narenas:4",
      "Environment=GLIBC_TUNABLES=glibc.malloc.arena_max=8:glibc.cpu.x=1",
      "Environment=GLIBC_TUNABLES=",
      "Environment=",
      "Environment=\"A=unclosed",
      "EnvironmentFile=/etc/default/one",
      "EnvironmentFile=-/etc/default/two",
      "EnvironmentFile=-/etc/default/absent",
      "EnvironmentFile=-/etc/default/%H",
      "EnvironmentFile=",
      "UnsetEnvironment=LD_PRELOAD",
      "UnsetEnvironment=LD_PRELOAD=/opt/shim.so",
      "UnsetEnvironment=MALLOC_CONF",
      "UnsetEnvironment=",
      "PassEnvironment=LD_PRELOAD",
  };
  static constexpr const char* kFileLines[] = {"LD_PRELOAD=/opt/from-file.so",
                                               "LD_PRELOAD=\"/opt/one.so /opt/libmimalloc.so.2\"",
                                               "LD_PRELOAD=",
                                               "MALLOC_CONF='narenas:2'",
                                               "# a comment",
                                               "GLIBC_TUNABLES=glibc.malloc.trim_threshold=5",
                                               "OTHER=\"a\\\nb\"",
                                               "no assignment"};
  static constexpr const char* kDropIns[] = {"10-early.conf", "zz-a.conf", "zz-b.conf", "zzz-late.conf"};

  std::string unit_text(std::string text) {
    text = "[Unit]\nEnvironment=LD_PRELOAD=/wrong/section.so\n[Service]\n" + text;
    for (auto count = below(3); count > 0; --count) text += std::string(pick(kLines)) + "\n";
    return text;
  }

  std::string container_text() {
    std::string text = "[Container]\nImage=image\n";
    for (auto count = below(3); count > 0; --count) text += std::string(pick(kLines)) + "\n";
    return text;
  }

  std::string environment_text() {
    std::string text;
    for (auto count = below(3); count > 0; --count) text += std::string(pick(kFileLines)) + "\n";
    return text;
  }

  void add_drop_in(PlanHost& host) {
    const auto directory = host::drop_in_directory(pick(PlanHost::lookup_paths()), pick(kOwners));
    host.files[directory + "/" + pick(kDropIns)] = unit_text("");
  }

  void spoil(HostUnit& unit) {
    switch (below(40)) {
      case 0:
        unit.is_secure_execution = true;
        break;
      case 1:
        unit.program = policy::ProgramKind::static_program;
        break;
      case 2:
        unit.program = policy::ProgramKind::dynamic_musl;
        break;
      case 3:
        unit.command = {"/usr/bin/docker", "run", "vllm/vllm-openai"};
        break;
      case 4:
        unit.load_state = "masked";
        break;
      case 5:
        unit.rolled_back = "it died";
        break;
      case 6:
        unit.root_directory = "/srv/root";
        unit.library_in_root = one_in(2);
        break;
      case 7:
        unit.command = {"/usr/bin/podman", "run", "image"};
        unit.source_path =
            "/etc/containers/systemd/" + unit.name.substr(0, unit.name.rfind('.')) + ".container";
        break;
      default:
        break;
    }
  }

  settings::Service service(std::string name) {
    settings::Service made;
    made.name = std::move(name);
    for (std::size_t count = 1 + below(3); made.selectors.size() < count;)
      made.selectors.push_back({settings::SelectorKind::unit, pick(kPatterns), {}});
    made.allocator = pick(settings::kWantedNames.values());
    add_options(made);
    if (one_in(4)) made.precedence = settings::Precedence::yield;
    if (one_in(4)) made.persist = one_in(2) ? settings::Persist::runtime : settings::Persist::system;
    return made;
  }

  // Those the settings allow with the allocator.
  void add_options(settings::Service& made) {
    const bool is_jemalloc = made.allocator == settings::Wanted::jemalloc;
    if (is_jemalloc && one_in(6)) made.library = "/opt/alloc/libjemalloc.so.2";
    if (is_jemalloc && one_in(2)) made.malloc_conf = "narenas:8,dirty_decay_ms:1";
    if (made.allocator == settings::Wanted::glibc) {
      if (one_in(2)) made.glibc.arena_max = 2;
      if (one_in(3)) made.glibc.trim_threshold = std::uint64_t{1} << 40U;
    } else if (made.allocator != settings::Wanted::any && one_in(4)) {
      made.extra_preload = {"/opt/extra.so", "/opt/shim.so"};
    }
  }

  std::mt19937 random_;
};

}  // namespace allocd::test
