// SPDX-License-Identifier: Apache-2.0
// Stands in for libFuzzer's main(): feeds every file named, or found in a folder named, to the target once.
// Exit 0 when all have been fed (and at least one was), 1 when something could not be read.
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <system_error>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

bool feed(const std::filesystem::path& path) {
  std::ifstream stream(path, std::ios::binary);
  const std::vector<char> bytes{std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()};
  if (!stream) {
    std::fprintf(stderr, "cannot read %s\n", path.c_str());
    return false;
  }
  // Told first, so that a crash names its input.
  std::printf("%s\n", path.c_str());
  std::fflush(stdout);
  // A copy of the exact size on the heap, so that a sanitizer sees one byte too far.
  const std::vector<std::uint8_t> input(bytes.begin(), bytes.end());
  LLVMFuzzerTestOneInput(input.data(), input.size());
  return true;
}

}  // namespace

int main(int count, char** arguments) {
  int fed = 0;
  bool all_read = true;
  for (int i = 1; i < count; ++i) {
    std::error_code error;
    if (!std::filesystem::is_directory(arguments[i], error)) {
      all_read = feed(arguments[i]) && all_read;
      ++fed;
      continue;
    }
    for (const auto& entry : std::filesystem::directory_iterator(arguments[i], error)) {
      all_read = feed(entry.path()) && all_read;
      ++fed;
    }
    all_read = all_read && !error;
  }
  std::printf("%d inputs\n", fed);
  return fed > 0 && all_read ? 0 : 1;
}
