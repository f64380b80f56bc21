// SPDX-License-Identifier: Apache-2.0
#include "ctl/command_line.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <exception>
#include <sstream>
#include <string_view>
#include <vector>

#include "base/closed_enum.hpp"
#include "base/text.hpp"
#include "settings/load.hpp"

namespace allocd::ctl {

namespace {

constexpr const char* kFooter =
    R"(Everything but check-config is rendered from the newest sample of allocd; no root is needed.
Data goes to standard output, all else to standard error.

UNIT is the name of a unit ("vllm.service", or "vllm" for short), the last part of a cgroup path, or the
name of a service that has one unit. A word that is none of these, or more than one, is an error (1).

JSON (--output=json): schema_version, keys as in docs/snapshot.schema.json, bytes as integers, times in
seconds since the epoch, durations in seconds, null for what could not be read.

Exit codes:
   0  done; for explain: the unit is compliant, exempt or inactive
   1  failure
   2  usage
   3  explain: the unit is anything else (violation, pending_restart, unknown, ...)
   4  insufficient privilege
   5  allocd cannot be reached
  78  check-config: the configuration has problems)";

constexpr base::EnumNames<Output, 2> kOutputNames{{"table", "json"}};
constexpr base::EnumNames<ColorMode, 3> kColorNames{{"auto", "always", "never"}};

// An option that takes one of `names`. Not CLI11's transformer: it takes the numbers behind the names too.
template <typename Enum, std::size_t Count>
CLI::Option* add_choice(CLI::App& app, const std::string& name, Enum& target,
                        const base::EnumNames<Enum, Count>& names, const std::string& description) {
  const auto set = [&target, &names](const std::string& word) {
    target = names.parse(word).value_or(target);
  };
  const std::vector<std::string> words(names.names.begin(), names.names.end());
  return app.add_option_function<std::string>(name, set, description)
      ->check(CLI::IsMember(words))
      ->type_name("")
      ->default_str(words.front());
}

void add_global_options(CLI::App& app, CommandLine& line) {
  app.add_option("--socket", line.socket, "Socket of allocd")->capture_default_str()->type_name("PATH");
  app.add_option_function<std::uint32_t>(
         "--timeout", [&line](const std::uint32_t& ms) { line.timeout = std::chrono::milliseconds(ms); },
         "How long to wait for allocd, in milliseconds")
      ->default_str("3000")
      ->type_name("MS")
      ->check(CLI::Range(1, 600'000).description(""));
  add_choice(app, "--output", line.output, kOutputNames, "Form of the answer");
  auto* color = add_choice(app, "--color", line.color, kColorNames,
                           "Colour; auto: on a terminal, unless NO_COLOR is set");
  app.add_flag_callback(
         "--no-color", [&line] { line.color = ColorMode::never; }, "The same as --color=never")
      ->excludes(color);
}

void add_commands(CLI::App& app, CommandLine& line) {
  const auto add = [&](const char* name, Command command, const char* text) {
    auto* sub = app.add_subcommand(name, text)->fallthrough();
    sub->callback([&line, command] { line.command = command; });
    return sub;
  };
  add("status", Command::status, "The node in one table: every unit, its state and its allocators");
  add("list", Command::list, "One unit per line, for scripts: name, state, reason, service; tab-separated");
  add("show", Command::show, "Everything known of one unit: roles, processes, allocator libraries")
      ->add_option("UNIT", line.unit, "Unit, cgroup or service")
      ->required();
  add("explain", Command::explain, "Why a unit is in its state: the five links of the chain, and what to do")
      ->add_option("UNIT", line.unit, "Unit, cgroup or service")
      ->required();
  add("metrics", Command::metrics, "The sample in Prometheus text format");
  add("check-config", Command::check_config, "Check one file, or all that allocd would read")
      ->add_option("FILE", line.file,
                   fmt::format("A file; without it {} and {}/*.yaml", settings::kDefaultFile,
                               settings::kDefaultDirectory));
}

// The word that stands where a command should; nothing when that is not what is wrong.
std::optional<std::string> find_unknown_command(const CLI::App& app) {
  if (!app.get_subcommands().empty()) return std::nullopt;
  const auto rest = app.remaining();
  if (rest.empty() || rest.front().starts_with('-')) return std::nullopt;
  return rest.front();
}

std::string describe_unknown_command(const CLI::App& app, const std::string& word) {
  std::vector<std::string_view> known;
  for (const auto* command : app.get_subcommands([](const CLI::App*) { return true; }))
    known.push_back(command->get_name());
  const auto nearest = base::nearest_word(word, known);
  return fmt::format("allocctl: unknown command '{}'{}\nRun with --help for more information.\n",
                     base::escape_for_terminal(word),
                     nearest ? fmt::format("; did you mean '{}'?", *nearest) : "");
}

}  // namespace

std::expected<CommandLine, Ended> parse_command_line(int argc, const char* const* argv) {
  CommandLine line;
  CLI::App app("Shows which malloc the processes of inference services really use.", "allocctl");
  std::ostringstream out;
  std::ostringstream err;
  try {
    app.footer(kFooter);
    app.set_version_flag("--version", "allocctl " ALLOCD_VERSION);
    app.require_subcommand(1);
    add_global_options(app, line);
    add_commands(app, line);
    app.parse(argc, argv);
    return line;
  } catch (const CLI::ParseError& error) {
    const bool is_answer = error.get_exit_code() == 0;  // help or version
    const auto unknown = is_answer ? std::nullopt : find_unknown_command(app);
    if (unknown) return std::unexpected(Ended{kUsage, "", describe_unknown_command(app, *unknown)});
    const int code = app.exit(error, out, err);
    return std::unexpected(Ended{code == 0 ? kDone : kUsage, out.str(), err.str()});
  } catch (const std::exception& error) {
    return std::unexpected(Ended{kFailure, "", std::string("allocctl: ") + error.what() + "\n"});
  }
}

}  // namespace allocd::ctl
