// SPDX-License-Identifier: Apache-2.0
// A place in a text file a person can jump to. Lines and columns count from 1; 0 means "not known".
#pragma once

#include <string>

namespace allocd::base {

struct SourcePosition {
  std::string file;
  int line = 0;
  int column = 0;

  bool operator==(const SourcePosition&) const = default;
};

}  // namespace allocd::base
