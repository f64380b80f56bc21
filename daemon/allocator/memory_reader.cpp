// SPDX-License-Identifier: Apache-2.0
#include "allocator/memory_reader.hpp"

#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <cerrno>

namespace allocd::allocator {

std::optional<std::string> MemoryReader::read_string(std::uint64_t address, std::size_t limit) {
  std::string text;
  std::array<std::byte, 256> chunk{};
  while (text.size() < limit) {
    const std::size_t want = std::min(chunk.size(), limit - text.size());
    const std::size_t count = read_some(address + text.size(), std::span(chunk).first(want));
    if (count == 0) return std::nullopt;
    const auto* bytes = reinterpret_cast<const char*>(chunk.data());
    const std::size_t length = strnlen(bytes, count);
    text.append(bytes, length);
    if (length < count) return text;
  }
  return std::nullopt;
}

std::size_t ProcessMemory::read_some(std::uint64_t address, std::span<std::byte> out) {
  if (++reads_ > kMaxReads || !keep_going_()) {
    error_ = ETIME;
    return 0;
  }
  const std::size_t offset = address % kPage;
  if (offset + out.size() > kPage) return read_process(address, out);
  const Page* page = page_at(address - offset);
  if (page == nullptr) return 0;
  std::memcpy(out.data(), page->bytes.data() + offset, out.size());
  return out.size();
}

const ProcessMemory::Page* ProcessMemory::page_at(std::uint64_t address) {
  pages_.resize(kPages);
  Page& page = pages_[address / kPage % kPages];
  if (page.address == address && address != 0) return &page;
  page.address = 0;
  if (read_process(address, page.bytes) != kPage) return nullptr;
  page.address = address;
  return &page;
}

std::size_t ProcessMemory::read_process(std::uint64_t address, std::span<std::byte> out) {
  const iovec local{out.data(), out.size()};
  // The address is one of the other process, never dereferenced here.
  const iovec remote{reinterpret_cast<void*>(address), out.size()};  // NOLINT(performance-no-int-to-ptr)
  const ssize_t count = ::process_vm_readv(pid_, &local, 1, &remote, 1, 0);
  if (count <= 0) {
    error_ = count < 0 ? errno : EFAULT;
    return 0;
  }
  return static_cast<std::size_t>(count);
}

}  // namespace allocd::allocator
