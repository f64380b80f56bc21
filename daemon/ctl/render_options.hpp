// SPDX-License-Identifier: Apache-2.0
// What a view must know of the place it is shown at. Views are pure functions of a snapshot and of this.
#pragma once

#include <cstddef>

namespace allocd::ctl {

struct RenderOptions {
  std::size_t width = 80;  // display columns no line may exceed
  bool color = false;
  bool utf8 = true;  // else everything beyond ASCII is escaped, and marks have an ASCII form
  double now = 0;    // seconds since the epoch
};

}  // namespace allocd::ctl
