// SPDX-License-Identifier: Apache-2.0
// Cuts the processes out of a snapshot's text before it is parsed.
//
// Why on the text: the processes are nine tenths of a document, and a scrape needs none of them. Skipping a
// byte is some twenty times cheaper than making a JSON token of it. What is cut is not validated; what is
// left is parsed as strictly as ever. Broken text comes out broken. Pure. Private to this folder.
#pragma once

#include <string>
#include <string_view>

namespace allocd::snapshot::detail {

// `text` with the content of every `units[*].processes` array left out ("processes":[]).
[[nodiscard]] std::string skip_processes(std::string_view text);

}  // namespace allocd::snapshot::detail
