// SPDX-License-Identifier: Apache-2.0
// Bytes of another process by address, behind an interface so that walks run on captured and hostile memory.
//
// ProcessMemory uses process_vm_readv(2): CAP_SYS_PTRACE is enough (/proc/PID/mem would need more rights).
// It takes the target's memory lock and can block as long as that is held: never call it on the loop. Small
// reads fetch the page they lie in, once: a link map is many neighbours, and a call costs more than a page.
#pragma once

#include <sys/types.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace allocd::allocator {

class MemoryReader {
 public:
  virtual ~MemoryReader() = default;

  // Copies from `address` and returns how many bytes could be read, from the front; 0 when none.
  [[nodiscard]] virtual std::size_t read_some(std::uint64_t address, std::span<std::byte> out) = 0;
  // errno value of the last read that gave nothing.
  [[nodiscard]] virtual int last_error() const = 0;

  [[nodiscard]] bool read(std::uint64_t address, std::span<std::byte> out) {
    return read_some(address, out) == out.size();
  }
  template <typename T>
  [[nodiscard]] std::optional<T> read_value(std::uint64_t address) {
    static_assert(std::is_trivially_copyable_v<T>);
    T value;
    if (!read(address, std::as_writable_bytes(std::span(&value, 1)))) return std::nullopt;
    return value;
  }
  // A NUL-terminated string of at most `limit` bytes; nothing when it has no end within them.
  [[nodiscard]] std::optional<std::string> read_string(std::uint64_t address, std::size_t limit = 4096);
};

class ProcessMemory final : public MemoryReader {
 public:
  // `keep_going` is asked before each read; once it says no, or after kMaxReads, nothing can be read any more
  // (ETIME): what a hostile process lays out cannot keep us longer than that.
  ProcessMemory(pid_t pid, const std::function<bool()>& keep_going) : pid_(pid), keep_going_(keep_going) {}
  [[nodiscard]] std::size_t read_some(std::uint64_t address, std::span<std::byte> out) override;
  [[nodiscard]] int last_error() const override { return error_; }
  // What is read next comes from the process again.
  void forget() { pages_.clear(); }

 private:
  static constexpr std::size_t kPage = 4096;
  static constexpr std::size_t kPages = 16;
  struct Page {
    std::uint64_t address = 0;  // 0: none; nobody maps the first page
    std::array<std::byte, kPage> bytes;
  };
  [[nodiscard]] std::size_t read_process(std::uint64_t address, std::span<std::byte> out);
  [[nodiscard]] const Page* page_at(std::uint64_t address);

  static constexpr std::uint64_t kMaxReads = 1'000'000;  // a process of 4,096 objects needs about 30,000

  pid_t pid_;
  const std::function<bool()>& keep_going_;
  std::vector<Page> pages_;  // by page number modulo kPages
  std::uint64_t reads_ = 0;
  int error_ = 0;
};

}  // namespace allocd::allocator
