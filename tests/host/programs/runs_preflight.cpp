// SPDX-License-Identifier: Apache-2.0
// Runs one preflight through systemd and prints its result as one line of JSON.
//
// usage: runs_preflight CANARY ALLOCATOR LIBRARY|auto LIMIT_MS [NAME=value]...
#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

#include "base/json_writer.hpp"
#include "base/text.hpp"
#include "preflight/preflight.hpp"
#include "preflight/systemd_runner.hpp"

using namespace allocd;

int main(int argc, char** argv) {
  const std::vector<std::string> words(argv, argv + argc);
  if (words.size() < 5) return 64;
  const auto root = host::Root::open("/");
  const auto wanted = settings::kWantedNames.parse(words[2]);
  const auto limit = base::parse_u64(words[4]);
  if (!root || !wanted || !limit) return 64;
  preflight::PreflightOptions options;
  options.canary = words[1];
  options.time_limit = std::chrono::milliseconds(*limit);
  preflight::PreflightRequest request;
  request.allocator = *wanted;
  if (words[3] != "auto") request.library = words[3];
  request.environment.assign(words.begin() + 5, words.end());
  preflight::SystemdRunner runner;
  const auto result = preflight::Preflight(*root, runner, options).check(request);
  base::JsonWriter json;
  json.begin_object()
      .member("reason", preflight::kReasonNames.name(result.reason))
      .member("sentence", result.sentence)
      .member("preload", result.preload)
      .member("owner", result.owner)
      .end_object();
  std::puts(json.take().c_str());
  return 0;
}
