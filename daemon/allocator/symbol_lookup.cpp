// SPDX-License-Identifier: Apache-2.0
// find_definition of elf_image.hpp: both hash tables an object may bring.
#include <elf.h>

#include <algorithm>
#include <array>
#include <span>

#include "allocator/elf_image.hpp"

namespace allocd::allocator {

namespace {

constexpr std::uint32_t kMaxChain = 65536;  // symbols looked at in one bucket; real chains have a few

class Lookup {
 public:
  Lookup(MemoryReader& memory, const DynamicSection& dynamic, std::uint64_t bias, std::string_view name)
      : memory_(memory), dynamic_(dynamic), bias_(bias), name_(name) {}

  // The address when symbol `index` is a definition of the name that other objects can bind to.
  [[nodiscard]] std::optional<std::uint64_t> match(std::uint64_t index) {
    const auto symbol = memory_.read_value<Elf64_Sym>(dynamic_.symbols + index * sizeof(Elf64_Sym));
    if (!symbol || symbol->st_shndx == SHN_UNDEF || symbol->st_value == 0) return std::nullopt;
    const unsigned binding = ELF64_ST_BIND(symbol->st_info);
    const unsigned visibility = ELF64_ST_VISIBILITY(symbol->st_other);
    if (binding == STB_LOCAL || visibility == STV_HIDDEN || visibility == STV_INTERNAL) return std::nullopt;
    if (!is_named(symbol->st_name)) return std::nullopt;
    return symbol->st_value + bias_;
  }

 private:
  [[nodiscard]] bool is_named(std::uint64_t offset) {
    if (dynamic_.strings_size != 0 && offset >= dynamic_.strings_size) return false;
    std::array<char, 64> text{};
    const std::size_t length = std::min(name_.size() + 1, text.size());
    const auto bytes = std::span(text).first(length);
    if (!memory_.read(dynamic_.strings + offset, std::as_writable_bytes(bytes))) return false;
    return std::string_view(text.data(), name_.size()) == name_ && text.at(name_.size()) == '\0';
  }

  MemoryReader& memory_;
  const DynamicSection& dynamic_;
  std::uint64_t bias_;
  std::string_view name_;
};

std::uint32_t gnu_hash(std::string_view name) {
  std::uint32_t hash = 5381;
  for (const char c : name) hash = hash * 33 + static_cast<unsigned char>(c);
  return hash;
}

std::uint32_t sysv_hash(std::string_view name) {
  std::uint32_t hash = 0;
  for (const char c : name) {
    hash = (hash << 4U) + static_cast<unsigned char>(c);
    const std::uint32_t high = hash & 0xF0000000U;
    hash = (hash ^ (high >> 24U)) & ~high;
  }
  return hash;
}

// nbuckets, index of the first hashed symbol, number of 64-bit bloom words, bloom shift; then the bloom
// words, the buckets and the chain of hashes, of which bit 0 marks the end of a bucket.
std::optional<std::uint64_t> find_by_gnu_hash(MemoryReader& memory, const DynamicSection& dynamic,
                                              Lookup& lookup, std::string_view name) {
  const auto header = memory.read_value<std::array<std::uint32_t, 4>>(dynamic.gnu_hash);
  if (!header) return std::nullopt;
  const auto [bucket_count, first_symbol, bloom_count, bloom_shift] = *header;
  if (bucket_count == 0 || bloom_count == 0 || bloom_shift >= 32) return std::nullopt;
  const std::uint32_t hash = gnu_hash(name);
  const std::uint64_t bloom = dynamic.gnu_hash + sizeof(*header);
  const auto word = memory.read_value<std::uint64_t>(bloom + std::uint64_t{(hash / 64) % bloom_count} * 8);
  const std::uint64_t wanted =
      (std::uint64_t{1} << (hash % 64)) | (std::uint64_t{1} << ((hash >> bloom_shift) % 64));
  if (!word || (*word & wanted) != wanted) return std::nullopt;

  const std::uint64_t buckets = bloom + std::uint64_t{bloom_count} * 8;
  const std::uint64_t chain = buckets + std::uint64_t{bucket_count} * 4;
  const auto start = memory.read_value<std::uint32_t>(buckets + std::uint64_t{hash % bucket_count} * 4);
  if (!start || *start < first_symbol) return std::nullopt;
  for (std::uint32_t step = 0; step < kMaxChain; ++step) {
    const std::uint64_t index = std::uint64_t{*start} + step;
    const auto entry = memory.read_value<std::uint32_t>(chain + (index - first_symbol) * 4);
    if (!entry) return std::nullopt;
    if ((*entry | 1U) == (hash | 1U)) {
      if (const auto address = lookup.match(index)) return address;
    }
    if ((*entry & 1U) != 0) return std::nullopt;
  }
  return std::nullopt;
}

// nbucket, nchain, the buckets, the chain; index 0 ends a chain.
std::optional<std::uint64_t> find_by_sysv_hash(MemoryReader& memory, const DynamicSection& dynamic,
                                               Lookup& lookup, std::string_view name) {
  const auto header = memory.read_value<std::array<std::uint32_t, 2>>(dynamic.sysv_hash);
  if (!header || (*header)[0] == 0) return std::nullopt;
  const auto [bucket_count, chain_count] = *header;
  const std::uint64_t buckets = dynamic.sysv_hash + sizeof(*header);
  const std::uint64_t chain = buckets + std::uint64_t{bucket_count} * 4;
  auto index = memory.read_value<std::uint32_t>(buckets + std::uint64_t{sysv_hash(name) % bucket_count} * 4);
  for (std::uint32_t step = 0; step < kMaxChain && index && *index != 0 && *index < chain_count; ++step) {
    if (const auto address = lookup.match(*index)) return address;
    index = memory.read_value<std::uint32_t>(chain + std::uint64_t{*index} * 4);
  }
  return std::nullopt;
}

}  // namespace

std::optional<std::uint64_t> find_definition(MemoryReader& memory, const DynamicSection& dynamic,
                                             std::uint64_t bias, std::string_view name) {
  if (dynamic.symbols == 0 || dynamic.strings == 0 || name.size() >= 64) return std::nullopt;
  Lookup lookup(memory, dynamic, bias, name);
  if (dynamic.gnu_hash != 0) return find_by_gnu_hash(memory, dynamic, lookup, name);
  if (dynamic.sysv_hash != 0) return find_by_sysv_hash(memory, dynamic, lookup, name);
  return std::nullopt;
}

}  // namespace allocd::allocator
