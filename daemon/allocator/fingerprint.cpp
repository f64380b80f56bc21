// SPDX-License-Identifier: Apache-2.0
#include "allocator/fingerprint.hpp"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <string>

namespace allocd::allocator {

namespace {

constexpr std::size_t kChunk = std::size_t{1} << 20U;
constexpr off_t kLimit = off_t{256} << 20U;  // a larger executable is searched this far
constexpr std::size_t kMaxKnown = 1024;

// Split in two literals, so that our own programs do not carry what they look for.
const std::array<std::string, 8>& mark_texts() {
  // Never destroyed: a stuck reader thread may come back while the program ends.
  static const auto& texts = *new std::array<std::string, 8>{
      std::string("<jemal") + "loc>",              // prefix of every jemalloc message (malloc_io.c)
      std::string("mimal") + "loc: error",         // options.c
      std::string("TCMAL") + "LOC_",               // names of its environment variables
      std::string("malloc_consol") + "idate(): ",  // malloc.c: corruption message
      std::string("__malloc_don") + "ate",         // symbol of mallocng and oldmalloc
      std::string("\xff Go build") + "inf:",       // debug/buildinfo
      std::string("_rjem_") + "mallctl",           // symbol of Rust's jemalloc crates
      std::string("__libc_") + "malloc_impl",      // musl
  };
  return texts;
}

constexpr std::array<bool Fingerprint::*, 8> kFound{
    &Fingerprint::jemalloc, &Fingerprint::mimalloc, &Fingerprint::tcmalloc, &Fingerprint::glibc,
    &Fingerprint::musl,     &Fingerprint::go,       &Fingerprint::jemalloc, &Fingerprint::musl};
constexpr std::size_t kOverlap = 64;  // longer than any mark

void search(std::string_view text, Fingerprint& fingerprint) {
  const auto& texts = mark_texts();
  for (std::size_t i = 0; i < texts.size(); ++i) {
    bool& found = fingerprint.*kFound.at(i);
    found = found || memmem(text.data(), text.size(), texts.at(i).data(), texts.at(i).size()) != nullptr;
  }
}

}  // namespace

Kind Fingerprint::kind() const {
  const int named = int{jemalloc} + int{tcmalloc} + int{mimalloc};
  if (named > 1) return Kind::unknown;
  if (jemalloc) return Kind::jemalloc;
  if (tcmalloc) return Kind::tcmalloc;
  if (mimalloc) return Kind::mimalloc;
  if (go) return Kind::other;
  if (glibc) return Kind::glibc;
  return musl ? Kind::musl : Kind::unknown;
}

Fingerprint find_fingerprint(std::string_view text) {
  Fingerprint fingerprint;
  search(text, fingerprint);
  fingerprint.complete = true;
  return fingerprint;
}

std::optional<Fingerprint> FingerprintCache::of_file(int fd, const std::function<bool()>& keep_going) {
  struct stat status{};
  if (::fstat(fd, &status) != 0 || !S_ISREG(status.st_mode)) return std::nullopt;
  const Key key{status.st_dev, status.st_ino, status.st_size,
                std::int64_t{status.st_ctim.tv_sec} * 1'000'000'000 + status.st_ctim.tv_nsec};
  {
    const std::scoped_lock lock(mutex_);
    if (const auto known = known_.find(key); known != known_.end()) return known->second;
  }
  Fingerprint fingerprint;
  std::string buffer(kChunk + kOverlap, '\0');
  std::size_t kept = 0;  // tail of the previous chunk: a mark may lie across the seam
  for (off_t at = 0; at < kLimit;) {
    if (!keep_going()) return std::nullopt;
    const ssize_t count = ::pread(fd, buffer.data() + kept, kChunk, at);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return std::nullopt;
    fingerprint.complete = count == 0;
    if (count == 0) break;
    const std::string_view window(buffer.data(), kept + static_cast<std::size_t>(count));
    search(window, fingerprint);
    at += count;
    kept = std::min(kOverlap, window.size());
    buffer.replace(0, kept, std::string(window.substr(window.size() - kept)));
  }
  const std::scoped_lock lock(mutex_);
  if (known_.size() >= kMaxKnown) known_.clear();
  known_.emplace(key, fingerprint);
  return fingerprint;
}

}  // namespace allocd::allocator
