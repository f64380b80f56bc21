// SPDX-License-Identifier: Apache-2.0
// allocd-enforcer: writes and removes drop-ins. Started by allocctl or by the observer's touch; ends by
// itself.
#include <cstdio>
#include <variant>

#include "enforcer/options.hpp"
#include "enforcer/run.hpp"
#include "host/journal.hpp"

using namespace allocd;

int main(int argc, char** argv) {
  const auto parsed = enforcer::parse_options(argc, argv);
  if (const int* const code = std::get_if<int>(&parsed)) return *code;
  return enforcer::run(std::get<enforcer::Options>(parsed), host::process_journal());
}
