// SPDX-License-Identifier: Apache-2.0
#include "allocator/classify.hpp"

#include <array>
#include <utility>

namespace allocd::allocator {

namespace {

// Symbols that only one allocator exports: jemalloc(3), mimalloc.h, gperftools/tcmalloc.h and
// malloc_extension_c.h, gnu/libc-version.h, and musl's getopt (src/misc/getopt.c), the one name of its own
// that every build exports.
constexpr std::array<std::pair<const char*, Kind>, 9> kMarks{
    {{"mallctl", Kind::jemalloc},
     {"je_mallctl", Kind::jemalloc},
     {"_rjem_mallctl", Kind::jemalloc},
     {"mi_version", Kind::mimalloc},
     {"tc_malloc", Kind::tcmalloc},
     {"TCMallocInternalMalloc", Kind::tcmalloc},
     {"MallocExtension_GetNumericProperty", Kind::tcmalloc},
     {"gnu_get_libc_version", Kind::glibc},
     {"__optpos", Kind::musl}}};

constexpr std::array<std::pair<std::string_view, Kind>, 11> kNames{{{"libjemalloc", Kind::jemalloc},
                                                                    {"libtcmalloc", Kind::tcmalloc},
                                                                    {"libmimalloc", Kind::mimalloc},
                                                                    {"libtbbmalloc", Kind::other},
                                                                    {"libsnmalloc", Kind::other},
                                                                    {"librpmalloc", Kind::other},
                                                                    {"libhoard", Kind::other},
                                                                    {"libmesh", Kind::other},
                                                                    {"libhardened_malloc", Kind::other},
                                                                    {"libscudo", Kind::other},
                                                                    {"libnedmalloc", Kind::other}}};

// "libjemalloc" names libjemalloc.so.2, libjemalloc-5.3.so and libjemalloc_pic.so, not libjemallocator.so.
bool is_named(std::string_view file, std::string_view stem) {
  if (!file.starts_with(stem)) return false;
  const auto rest = file.substr(stem.size());
  return rest.find(".so") != std::string_view::npos && (rest[0] == '.' || rest[0] == '-' || rest[0] == '_');
}

}  // namespace

std::string_view base_name(std::string_view path) {
  const auto slash = path.rfind('/');
  return slash == std::string_view::npos ? path : path.substr(slash + 1);
}

bool is_dynamic_linker_name(std::string_view path) {
  const auto name = base_name(path);
  return name.starts_with("ld-linux") || name.starts_with("ld-musl") || name.starts_with("ld64.so") ||
         name.starts_with("ld.so") || (name.starts_with("ld-2.") && name.ends_with(".so"));
}

bool is_c_library_name(std::string_view path) {
  const auto name = base_name(path);
  return name.starts_with("libc.so") || name.starts_with("libc-2.") || name.starts_with("libc.musl") ||
         name.starts_with("ld-musl");
}

std::optional<Kind> decide_kind_by_name(std::string_view path) {
  for (const auto& [stem, kind] : kNames) {
    if (is_named(base_name(path), stem)) return kind;
  }
  return std::nullopt;
}

Kind decide_definer_kind(std::string_view path, const Defines& defines) {
  for (const auto& [symbol, kind] : kMarks) {
    if (defines(symbol)) return kind;
  }
  if (const auto kind = decide_kind_by_name(path)) return *kind;
  const auto name = base_name(path);
  if (name.starts_with("ld-musl") || name.starts_with("libc.musl")) return Kind::musl;
  // Until glibc 2.35 the dynamic linker exported a malloc of its own, always behind libc's.
  if (is_dynamic_linker_name(path)) return Kind::glibc;
  return Kind::other;
}

}  // namespace allocd::allocator
