// SPDX-License-Identifier: Apache-2.0
#include "exporter/options.hpp"

#include "support/catch.hpp"

using namespace allocd::exporter;

namespace {

std::variant<Options, EarlyExit> parse(std::vector<const char*> words) {
  words.insert(words.begin(), "allocd-exporter");
  return parse_options(static_cast<int>(words.size()), words.data());
}

}  // namespace

TEST_CASE("without flags there are defaults") {
  const auto parsed = parse({});
  const auto& options = std::get<Options>(parsed);
  CHECK(options.listen_addresses.empty());
  CHECK(options.telemetry_path == "/metrics");
  CHECK(options.max_requests == 16);
  CHECK_FALSE(options.snapshot_socket.empty());
}

TEST_CASE("an address flag takes one address and may be repeated") {
  const auto parsed = parse({"--web.listen-address", "127.0.0.1:1", "--web.listen-address=[::1]:2"});
  CHECK(std::get<Options>(parsed).listen_addresses == std::vector<std::string>{"127.0.0.1:1", "[::1]:2"});
  CHECK(std::get<EarlyExit>(parse({"--web.listen-address", ":1", ":2"})).code == 2);
}

TEST_CASE("help and version go to stdout with code 0") {
  CHECK(std::get<EarlyExit>(parse({"--version"})).text == "allocd-exporter " ALLOCD_VERSION "\n");
  const auto help = std::get<EarlyExit>(parse({"--help"}));
  CHECK(help.code == 0);
  for (const char* const flag : {"--web.listen-address", "--web.systemd-socket", "--web.telemetry-path",
                                 "--web.max-requests", "--snapshot.socket", "--print-metrics-reference"}) {
    CHECK(help.text.find(flag) != std::string::npos);
  }
}

TEST_CASE("what is not known or makes no sense is a usage error that names it") {
  const auto unknown = std::get<EarlyExit>(parse({"--web.config.file=/x"}));
  CHECK(unknown.code == 2);
  CHECK(unknown.text.find("--web.config.file") != std::string::npos);
  CHECK(std::get<EarlyExit>(parse({"stray"})).code == 2);
  CHECK(std::get<EarlyExit>(parse({"--web.max-requests=0"})).code == 2);
  CHECK(std::get<EarlyExit>(parse({"--web.max-requests=many"})).code == 2);
  CHECK(std::get<EarlyExit>(parse({"--web.systemd-socket", "--web.listen-address=:1"})).code == 2);
}
