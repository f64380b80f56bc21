// SPDX-License-Identifier: Apache-2.0
#include "settings/trust.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>

#include "support/catch.hpp"
#include "support/temporary_directory.hpp"

namespace fs = std::filesystem;
using namespace allocd::settings;
using allocd::test::TemporaryDirectory;

namespace {

constexpr auto kFile = "/etc/allocd/allocd.yaml";

struct Tree : TemporaryDirectory {
  Tree() {
    const auto old_mask = ::umask(0022);
    write("etc/allocd/allocd.yaml", "version: 1\n");
    write("etc/allocd/conf.d/vllm.yaml", "version: 1\n");
    ::umask(old_mask);
  }
  [[nodiscard]] fs::path at(const std::string& name) const { return path().string() + name; }
  void chmod(const std::string& name, unsigned mode) const { fs::permissions(at(name), fs::perms{mode}); }

  [[nodiscard]] allocd::base::Result<std::optional<Untrusted>> check(const std::vector<std::string>& files,
                                                                     uid_t owner = ::geteuid()) const {
    const auto root = allocd::host::Root::open(path().string());
    REQUIRE(root);
    return check_trusted(*root, files, owner);
  }
  // "REASON PATH", or "trusted".
  [[nodiscard]] std::string verdict(const std::vector<std::string>& files = {kFile},
                                    uid_t owner = ::geteuid()) const {
    const auto found = check(files, owner);
    if (!found) return found.error().message();
    if (!*found) return "trusted";
    return std::string(kDistrustNames.name((*found)->reason)) + " " + (*found)->path;
  }
};

}  // namespace

TEST_CASE("files that only their owner can write are trusted") {
  const Tree tree;
  CHECK(tree.verdict() == "trusted");
  CHECK(tree.verdict({kFile, "/etc/allocd/conf.d/vllm.yaml", "/etc/allocd/conf.d"}) == "trusted");
  CHECK(tree.verdict({}) == "trusted");
  tree.chmod(kFile, 0600);
  CHECK(tree.verdict() == "trusted");
}

TEST_CASE("a file or a directory above it that others can write is not") {
  const Tree tree;
  SECTION("the file, by its group") {
    tree.chmod(kFile, 0664);
    CHECK(tree.verdict() == std::string("group_writable ") + kFile);
  }
  SECTION("the file, by everybody") {
    tree.chmod(kFile, 0666);
    CHECK(tree.verdict() == std::string("world_writable ") + kFile);
  }
  SECTION("its directory") {
    tree.chmod("/etc/allocd", 0775);
    CHECK(tree.verdict() == "group_writable /etc/allocd");
  }
  SECTION("a directory far above, sticky as /tmp is") {
    tree.chmod("/etc", 01777);
    CHECK(tree.verdict() == "world_writable /etc");
  }
  SECTION("the root") {
    tree.chmod("/", 0777);
    CHECK(tree.verdict() == "world_writable /");
  }
  SECTION("the second file") {
    tree.chmod("/etc/allocd/conf.d", 0777);
    CHECK(tree.verdict() == "trusted");
    CHECK(tree.verdict({kFile, "/etc/allocd/conf.d/vllm.yaml"}) == "world_writable /etc/allocd/conf.d");
  }
}

TEST_CASE("what belongs to somebody else is not trusted") {
  const Tree tree;
  CHECK(tree.verdict({kFile}, ::geteuid() + 1) == "foreign_owner /");
  if (::geteuid() != 0) return;  // only root can give a file away
  REQUIRE(::chown(tree.at(kFile).c_str(), 65534, 0) == 0);
  CHECK(tree.verdict() == std::string("foreign_owner ") + kFile);
}

TEST_CASE("links are followed, and what they lead through is looked at") {
  const Tree tree;
  tree.write("srv/shared/policy.yaml", "version: 1\n");
  for (const auto* directory : {"/srv", "/srv/shared", "/srv/shared/policy.yaml"})
    tree.chmod(directory, 0755);
  const auto link = tree.at("/etc/allocd/link.yaml");
  const std::vector<std::string> files{"/etc/allocd/link.yaml"};
  SECTION("to a trusted place") {
    fs::create_symlink("/srv/shared/policy.yaml", link);
    CHECK(tree.verdict(files) == "trusted");
  }
  SECTION("relative, upwards beyond the root") {
    fs::create_symlink("../../../../srv/./shared//policy.yaml", link);
    CHECK(tree.verdict(files) == "trusted");
    tree.chmod("/srv/shared", 0777);
    CHECK(tree.verdict(files) == "world_writable /srv/shared");
  }
  SECTION("to a place that others can write") {
    tree.chmod("/srv", 0770);
    fs::create_symlink("/srv/shared/policy.yaml", link);
    CHECK(tree.verdict(files) == "group_writable /srv");
  }
  SECTION("through a directory that is a link, and up again") {
    // The kernel's "..", after a link, is the parent of where the link leads.
    tree.chmod("/srv", 0777);
    fs::create_directory_symlink("/srv/shared", tree.at("/etc/allocd/detour"));
    CHECK(tree.verdict({"/etc/allocd/detour/../../etc/allocd/allocd.yaml"}) == "world_writable /srv");
  }
  SECTION("in a circle") {
    fs::create_symlink("link.yaml", link);
    CHECK(tree.verdict(files) == "too_many_links /etc/allocd/link.yaml");
  }
  SECTION("to nothing") {
    fs::create_symlink("/srv/none.yaml", link);
    const auto found = tree.check(files);
    REQUIRE_FALSE(found);
    CHECK(found.error().code == ENOENT);
  }
}

TEST_CASE("a FIFO is not trusted, what is absent is a fault") {
  const Tree tree;
  REQUIRE(::mkfifo(tree.at("/etc/allocd/fifo.yaml").c_str(), 0600) == 0);
  CHECK(tree.verdict({"/etc/allocd/fifo.yaml"}) == "not_a_file /etc/allocd/fifo.yaml");
  CHECK(tree.verdict({"/etc/allocd/none.yaml"}) ==
        "cannot read the link /etc/allocd/none.yaml: No such file or directory");
}

TEST_CASE("distrust says what to do") {
  const auto shown = [](Distrust reason) {
    const Untrusted untrusted{reason, "/etc/allocd\x1b", kFile};
    return untrusted.sentence() + "; " + untrusted.next_step();
  };
  CHECK(shown(Distrust::foreign_owner) ==
        "/etc/allocd\\x1b does not belong to root; chown root /etc/allocd\\x1b");
  CHECK(shown(Distrust::group_writable) ==
        "/etc/allocd\\x1b is writable by its group; chmod go-w /etc/allocd\\x1b");
  CHECK(shown(Distrust::world_writable) ==
        "/etc/allocd\\x1b is writable by everybody; chmod go-w /etc/allocd\\x1b");
  CHECK(shown(Distrust::not_a_file) == "/etc/allocd\\x1b is neither a file nor a directory; ");
  CHECK(shown(Distrust::too_many_links) == "/etc/allocd\\x1b is a symbolic link in a circle; ");
}
