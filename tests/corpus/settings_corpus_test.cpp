// SPDX-License-Identifier: Apache-2.0
// settings/good/*.yaml must be accepted; settings/bad/*.yaml must be refused with exactly what stands in the
// *.expected file beside it. A new bug is a new pair of files.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "settings/load.hpp"
#include "support/catch.hpp"

namespace fs = std::filesystem;
using namespace allocd::settings;

namespace {

const fs::path kCorpus = fs::path(ALLOCD_TESTS_DIR) / "corpus" / "settings";

std::string read_text(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file.good()) FAIL("cannot read " + path.string());
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

std::vector<fs::path> files_in(const char* folder, const char* extension) {
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(kCorpus / folder)) {
    if (entry.path().extension() == extension) files.push_back(entry.path());
  }
  std::ranges::sort(files);
  return files;
}

}  // namespace

TEST_CASE("settings corpus: good files are accepted") {
  const auto files = files_in("good", ".yaml");
  CHECK(files.size() >= 15);
  for (const auto& file : files) {
    INFO(file.filename().string());
    const auto loaded = parse_settings({{file.filename().string(), read_text(file)}});
    CHECK((loaded ? "" : render_problems(loaded.error())) == std::string());
  }
}

TEST_CASE("settings corpus: bad files are refused, in these words") {
  const auto files = files_in("bad", ".yaml");
  CHECK(files.size() >= 45);
  CHECK(files.size() == files_in("bad", ".expected").size());
  for (const auto& file : files) {
    INFO(file.filename().string());
    const auto loaded = parse_settings({{file.filename().string(), read_text(file)}});
    CHECK((loaded ? "accepted\n" : render_problems(loaded.error())) ==
          read_text(fs::path(file).replace_extension(".expected")));
  }
}
