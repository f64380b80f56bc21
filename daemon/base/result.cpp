// SPDX-License-Identifier: Apache-2.0
#include "base/result.hpp"

#include <fmt/format.h>

#include <cstring>

namespace allocd::base {

std::string Fault::message() const {
  if (where.empty()) return fmt::format("cannot {}: {}", what, cause);
  return fmt::format("cannot {} {}: {}", what, where, cause);
}

std::unexpected<Fault> fault_from_errno(std::string_view what, std::string_view where, int error) {
  const char* text = strerrordesc_np(error);
  return std::unexpected(Fault{std::string(what), std::string(where),
                               text != nullptr ? text : fmt::format("error {}", error), error});
}

std::unexpected<Fault> fault(std::string_view what, std::string_view where, std::string_view cause) {
  return std::unexpected(Fault{std::string(what), std::string(where), std::string(cause), 0});
}

}  // namespace allocd::base
