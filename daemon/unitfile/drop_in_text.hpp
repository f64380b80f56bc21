// SPDX-License-Identifier: Apache-2.0
// The text of allocd's own drop-in (or environment file), and whose a text is.
//
// Four comment lines come first: who wrote it and for which unit, the policy, how to undo it, and a checksum
// over the whole text without the checksum's own line. Only a text that is `ours` may ever be rewritten or
// removed; any edit at all, down to one byte, makes it `tampered` or `foreign`. The checksum guards against
// mistakes, not against someone who can compute one. Pure; any thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/closed_enum.hpp"

namespace allocd::unitfile {

// Control characters and bytes that are not UTF-8 are written as \xNN and long text is cut: whatever is in
// here stays in its comment line.
struct DropInHeader {
  std::string unit;
  std::string policy;  // one line
  std::string version;
};

struct DropInBody {
  std::vector<std::string> lines;  // complete lines, without newlines
};

[[nodiscard]] std::string render_owned_text(const DropInHeader& header, const DropInBody& body);

enum class Ownership {
  ours,      // our header, and the checksum fits
  tampered,  // our header, and the checksum is gone or does not fit
  foreign,   // anything else; also a text that names allocd further down
};
inline constexpr base::EnumNames<Ownership, 3> kOwnershipNames{{"ours", "tampered", "foreign"}};

[[nodiscard]] Ownership decide_ownership(std::string_view text);

}  // namespace allocd::unitfile
