// SPDX-License-Identifier: Apache-2.0
#include "ctl/command_line.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <exception>
#include <functional>
#include <sstream>
#include <string_view>
#include <vector>

#include "base/closed_enum.hpp"
#include "base/text.hpp"
#include "settings/load.hpp"

namespace allocd::ctl {

namespace {

constexpr const char* kFooter =
    R"(status, list, show, explain, node, drift, verify and metrics are rendered from the newest sample of allocd. plan
looks at the configuration, at systemd and at the unit files, with the rights of whoever runs it. Only apply and
revert change something, and only they need root. Data goes to standard output, all else to standard error.

UNIT is the name of a unit ("vllm.service", or "vllm" for short). For show, explain, drift and verify it may also be
the last part of a cgroup path, or the name of a service that has one unit; for plan, apply and revert a
template ("vllm@.service"). A word that is none of these, or more than one, is an error (1).

JSON (--output=json): schema_version, keys as in docs/snapshot.schema.json, bytes as integers, times in
seconds since the epoch, durations in seconds, null for what could not be read.

Exit codes:
   0  done; plan: nothing to do; explain, verify: compliant, exempt or inactive
   1  failure; apply: something failed, was declined, or (--wait) was rolled back; node: the machine
      has not been read yet
   2  usage; apply, revert: no terminal to ask at, and no --yes
   3  plan: something would change or is blocked; apply, revert: something stays blocked;
      explain, verify: a unit is anything else (violation, pending_restart, unknown, ...);
      node: something is not as `node: expect:` declares it, or could not be read;
      drift: a unit is in drift or exhaustion
   4  insufficient privilege
   5  allocd cannot be reached; drift, verify: its last sample is too old
  78  the configuration has problems)";

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

constexpr const char* kHidden = "";  // CLI11: a group without a name is not shown

void add_configuration(CLI::App& sub, CommandLine& line, bool shown) {
  auto& places = line.places;
  auto* file = sub.add_option("--config", places.config_file, "Configuration file")->type_name("FILE");
  auto* directory =
      sub.add_option("--config-dir", places.config_directory, "Directory of further *.yaml files")
          ->type_name("DIR");
  for (auto* option : {file, directory}) {
    option->capture_default_str();
    if (!shown) option->group(kHidden);
  }
}

void add_hidden_places(CLI::App& sub, CommandLine& line) {
  auto& places = line.places;
  sub.add_option("--enforcer.state-directory", places.state_directory)->group(kHidden);
  sub.add_option("--enforcer.run-directory", places.run_directory)->group(kHidden);
  sub.add_option("--enforcer.canary", places.canary)->group(kHidden);
  sub.add_option("--bus-address", places.bus_address)->group(kHidden);
}

CLI::Option* add_units(CLI::App& sub, CommandLine& line, const char* text) {
  return sub.add_option("UNIT", line.units, text)->type_name("");
}

void add_force(CLI::App& sub, CommandLine& line) {
  sub.add_flag("--force", line.force, "Also take back files of allocd's that were edited by hand");
}

void add_retry(CLI::App& sub, CommandLine& line) {
  sub.add_flag("--retry", line.retry, "Also try again what the fuse took back");
}

void add_yes(CLI::App& sub, CommandLine& line) {
  sub.add_flag("--yes,-y", line.yes, "Do not ask");
}

using AddCommand = std::function<CLI::App*(const char*, Command, const char*)>;

void add_enforcement(const AddCommand& add, CommandLine& line) {
  auto* plan = add("plan", Command::plan, "What would change, why, as a diff, and what stands in the way");
  add_units(*plan, line, "Units or templates; without one, all the configuration selects");
  add_configuration(*plan, line, true);
  auto* apply = add("apply", Command::apply, "Show the plan, ask, and have it carried out");
  add_units(*apply, line, "Units or templates; without one, all the configuration selects");
  apply->add_flag("--dry-run", line.dry_run, "Only show the plan, as plan does");
  apply->add_flag("--wait", line.wait, "Until restarted units have settled or were rolled back");
  add_configuration(*apply, line, false);
  auto* revert = add("revert", Command::revert, "Remove what allocd has written");
  auto* units = add_units(*revert, line, "Units or templates");
  revert->add_flag("--all", line.all, "All that allocd has written")->excludes(units);
  add_configuration(*revert, line, false);
  for (auto* sub : {plan, apply}) add_retry(*sub, line);
  for (auto* sub : {plan, apply, revert}) add_force(*sub, line);
  for (auto* sub : {apply, revert}) add_yes(*sub, line);
  for (auto* sub : {plan, apply, revert}) add_hidden_places(*sub, line);
}

void add_commands(CLI::App& app, CommandLine& line) {
  const AddCommand add = [&](const char* name, Command command, const char* text) {
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
  add("node", Command::node,
      "The machine's memory: huge pages, NUMA, IOMMU, limits, and what was declared of it");
  add_units(*add("drift", Command::drift,
                 "Whether memory rises over days: floors, slopes, limits, and what to do about it"),
            line, "Unit, cgroup or service; without one, all in a table")
      ->expected(1);
  add_units(*add("verify", Command::verify, "Whether every unit with a policy is as the policy asks"), line,
            "Units, cgroups or services; without one, all that have a policy");
  add_enforcement(add, line);
  add("metrics", Command::metrics, "The sample in Prometheus text format");
  add("check-config", Command::check_config, "Check one file, or all that allocd would read")
      ->add_option("FILE", line.file,
                   fmt::format("A file; without it {} and {}/*.yaml", settings::kDefaultFile,
                               settings::kDefaultDirectory));
  auto* reload = add("reload", Command::reload, "Check the configuration and have allocd read it again");
  reload->add_flag("--wait", line.wait, "Until a sample shows that it is loaded, or refused");
  add_configuration(*reload, line, false);
  add_hidden_places(*reload, line);
}

// What CLI11 cannot say by itself.
std::optional<std::string> find_misuse(const CommandLine& line) {
  if (line.command == Command::revert && line.units.empty() && !line.all)
    return "revert wants the names of units, or --all";
  if (line.dry_run && line.wait) return "--dry-run has nothing to wait for";
  return std::nullopt;
}

// The word that stands where a command should; nothing when that is not what is wrong.
std::optional<std::string> find_unknown_command(const CLI::App& app) {
  if (!app.get_subcommands().empty()) return std::nullopt;
  const auto rest = app.remaining();
  if (rest.empty() || rest.front().starts_with('-')) return std::nullopt;
  return rest.front();
}

constexpr const char* kNoCommand =
    "allocctl: which command? `allocctl status` shows the node in one table.\n"
    "Run with --help for more information.\n";

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
  CLI::App app("Shows which malloc the processes of inference services really use, and sets it right.",
               "allocctl");
  std::ostringstream out;
  std::ostringstream err;
  try {
    app.footer(kFooter);
    app.set_version_flag("--version", "allocctl " ALLOCD_VERSION);
    app.require_subcommand(1);
    add_global_options(app, line);
    add_commands(app, line);
    app.parse(argc, argv);
    if (const auto misuse = find_misuse(line))
      return std::unexpected(
          Ended{kUsage, "", fmt::format("allocctl: {}\nRun with --help for more information.\n", *misuse)});
    return line;
  } catch (const CLI::ParseError& error) {
    const bool is_answer = error.get_exit_code() == 0;  // help or version
    const auto unknown = is_answer ? std::nullopt : find_unknown_command(app);
    if (unknown) return std::unexpected(Ended{kUsage, "", describe_unknown_command(app, *unknown)});
    const bool lacks_command = error.get_name() == "RequiredError" && app.get_subcommands().empty();
    if (lacks_command) return std::unexpected(Ended{kUsage, "", kNoCommand});
    const int code = app.exit(error, out, err);
    return std::unexpected(Ended{code == 0 ? kDone : kUsage, out.str(), err.str()});
  } catch (const std::exception& error) {
    return std::unexpected(Ended{kFailure, "", std::string("allocctl: ") + error.what() + "\n"});
  }
}

}  // namespace allocd::ctl
