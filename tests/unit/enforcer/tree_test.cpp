// SPDX-License-Identifier: Apache-2.0
// Plan, apply, plan again and revert on a real disk with the real writer, over random hosts.
#include "host_tree.hpp"
#include "support/random_host.hpp"

namespace {

using namespace allocd;
using test::HostMaker;
using test::HostTree;

constexpr unsigned kSeed = 20250510;
constexpr int kRounds = 20;  // each waits for the disk many times over

// Empty directories that were there before us, also with a mode of their own.
void add_directories(HostMaker& make, const HostTree& tree) {
  for (const char* path : {"/etc/systemd/system/vllm.service.d", "/run/systemd/system/vllm.service.d",
                           "/etc/systemd/system/vllm@.service.d", "/run/systemd/system/vllm@a.service.d"}) {
    if (!make.one_in(2)) continue;
    std::filesystem::create_directories(tree.at(path));
    if (make.one_in(3)) std::filesystem::permissions(tree.at(path), std::filesystem::perms{0775});
    if (make.one_in(3)) std::filesystem::permissions(tree.at(path), std::filesystem::perms{0700});
  }
}

std::string differences(const std::map<std::string, std::string>& before,
                        const std::map<std::string, std::string>& after) {
  std::string all;
  for (const auto& [path, what] : before) {
    if (!after.contains(path)) all += "gone: " + path + "\n";
    if (after.contains(path) && after.at(path) != what) all += path + ": " + what + " -> " + after.at(path);
  }
  for (const auto& [path, what] : after) {
    if (!before.contains(path)) all += "new: " + path + "\n";
  }
  return all;
}

std::string value_in(const unitfile::Environment& environment, const std::string& name) {
  const auto found = environment.variables.find(name);
  return found != environment.variables.end() && found->second.is_set ? found->second.value : "";
}

}  // namespace

TEST_CASE("tree: apply, another policy, revert: every name, mode and byte is as it was", "[property]") {
  HostMaker make(kSeed);
  int written = 0;
  for (int round = 0; round < kRounds; ++round) {
    INFO("round " << round);
    HostTree tree(make.host());
    add_directories(make, tree);
    const auto before = tree.tree();
    for (int policies = 0; policies < 3; ++policies) {
      const auto plan = tree.plan();
      tree.apply(plan);
      REQUIRE_FALSE(tree.plan({.version = "2"}).has_changes());
      for (const auto& file : tree.owned()) {
        REQUIRE(file.is_regular);
        ++written;
      }
      tree.settings() = make.settings();
    }
    const auto revert = policy::decide_revert(tree.owned(), {});
    REQUIRE_FALSE(revert.has_blocked());
    tree.apply(revert);
    REQUIRE(tree.owned().empty());
    REQUIRE(differences(before, tree.tree()) == "");
  }
  CHECK(written > kRounds);
}

TEST_CASE("tree: what was applied is what the files say", "[property]") {
  HostMaker make(kSeed + 1);
  int checked = 0;
  for (int round = 0; round < kRounds; ++round) {
    INFO("round " << round);
    HostTree tree(make.host());
    const auto plan = tree.plan();
    tree.apply(plan);
    for (const auto& item : plan.items) {
      if (item.action != policy::Action::write || item.target.ends_with(".container")) continue;
      for (const auto& unit : item.units) {
        INFO(unit);
        const auto environment = tree.environment_of(unit);
        for (const auto& [name, value] : item.environment) REQUIRE(value_in(environment, name) == value);
        ++checked;
      }
    }
  }
  CHECK(checked > kRounds);
}

TEST_CASE("tree: what is not ours stays, whatever is asked for", "[property]") {
  HostMaker make(kSeed + 2);
  int blocked = 0;
  for (int round = 0; round < kRounds; ++round) {
    INFO("round " << round);
    auto host = make.host();
    host.apply(host.plan());
    make.spoil_owned_files(host);
    std::map<std::string, std::string> others;
    HostTree tree(host);
    for (const auto& [path, what] : tree.tree()) {
      const bool is_spoilt = test::is_owned_name(path) && !host.is_ours(path);
      if (is_spoilt) others[path] = what;
    }
    const auto plan = tree.plan();
    blocked += plan.has_blocked() ? 1 : 0;
    tree.apply(plan);
    tree.settings().services.clear();
    tree.apply(tree.plan());
    tree.apply(policy::decide_revert(tree.owned(), {}));
    const auto after = tree.tree();
    for (const auto& [path, what] : others) {
      INFO(path);
      REQUIRE(after.contains(path));
      REQUIRE(after.at(path) == what);
    }
  }
  CHECK(blocked > kRounds / 10);
}

TEST_CASE("tree: a file that changed since it was planned for is left alone") {
  HostMaker make(kSeed + 3);
  for (int round = 0; round < kRounds; ++round) {
    HostTree tree(make.host());
    const auto plan = tree.plan();
    const auto item = std::ranges::find(plan.items, policy::Action::write, &policy::PlanItem::action);
    if (item == plan.items.end()) continue;
    const auto& path = item->files.front().path;
    tree.put(path, "somebody was faster\n");
    const auto before = tree.tree();
    const auto error = enforcer::apply_item(tree.root(), *item, {});
    INFO("round " << round);
    REQUIRE(error.find(path) != std::string::npos);
    REQUIRE(error.find("changed_since_read") != std::string::npos);
    REQUIRE(differences(before, tree.tree()) == "");
  }
}
