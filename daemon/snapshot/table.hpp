// SPDX-License-Identifier: Apache-2.0
// What the tables of members.hpp, members_memory.hpp and members_drift.hpp are written with. Private to this
// folder.
#pragma once

#include <concepts>
#include <type_traits>

#include "snapshot/model.hpp"

namespace allocd::snapshot::detail {

template <typename T, typename Of>
concept Either = std::same_as<std::remove_const_t<T>, Of>;  // Of or const Of

template <typename T, typename... Any>
concept OneOf = (std::same_as<T, Any> || ...);

// The names of a closed set, found by its type.
template <typename Enum>
inline constexpr int kNamesOf = 0;  // specialised for each; an enum without a table does not compile

}  // namespace allocd::snapshot::detail
