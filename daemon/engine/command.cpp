// SPDX-License-Identifier: Apache-2.0
#include "engine/command.hpp"

#include <algorithm>
#include <cctype>
#include <cstddef>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/text.hpp"

namespace allocd::engine {

namespace {

struct Wrapper {
  std::string_view name;
  std::string_view verb;          // word that must come first among its arguments, "" for none
  std::string_view valued;        // options whose value is the next word, blank-separated
  std::size_t positionals = 0;    // of its own words before the command
  Role role = Role::starting;     // of the wrapper itself
  std::string_view two_valued{};  // options that take two words
};

constexpr std::string_view kUvRunOptions =
    "--with --with-requirements --with-editable --project --directory -p --python --extra --group --env-file "
    "--index --index-url --extra-index-url --package --cache-dir --config-file --from";
constexpr std::string_view kCondaOptions = "-n --name -p --prefix --cwd";
constexpr std::string_view kMpiOptions =
    "-n -np -c -N --n --np -H --host -host --hostfile -hostfile -x --map-by --bind-to --rank-by --wdir -wdir "
    "-genv -ppn";
constexpr std::string_view kMpiPairs = "-mca --mca -gmca --gmca";

constexpr Wrapper kWrappers[] = {
    {"env", "", "-u --unset -C --chdir"},
    {"sudo", "", "-u -g -h -p -C -T -U -r -t -D -R --user --group --chdir --role --type"},
    {"doas", "", "-u -C"},
    {"runuser", "", "-u -g -G --user --group --supp-group"},
    {"gosu", "", "", 1},
    {"su-exec", "", "", 1},
    {"setpriv", "", "--reuid --regid --groups --inh-caps --ambient-caps --bounding-set"},
    {"nohup", "", ""},
    {"setsid", "", ""},
    {"exec", "", "-a"},
    {"nice", "", "-n --adjustment"},
    {"ionice", "", "-c -n --class --classdata"},
    {"chrt", "", "-T -P -D", 1},
    {"taskset", "", "", 1},
    {"numactl", "",
     "-i -N -m -C -p -P -w --interleave --cpunodebind --membind --physcpubind --preferred --preferred-many "
     "--weighted-interleave"},
    {"prlimit", "", ""},
    {"timeout", "", "-k -s --kill-after --signal", 1},
    {"stdbuf", "", "-i -o -e --input --output --error"},
    {"time", "", "-f -o --format --output"},
    {"systemd-cat", "", "-t -p --identifier --priority"},
    {"uv", "run", kUvRunOptions},
    {"uvx", "", kUvRunOptions},
    {"poetry", "run", "-C --directory -P --project"},
    {"pdm", "run", "-p --project"},
    {"pipenv", "run", ""},
    {"rye", "run", ""},
    {"pixi", "run", "-e --environment --manifest-path"},
    {"conda", "run", kCondaOptions},
    {"mamba", "run", kCondaOptions},
    {"micromamba", "run", kCondaOptions},
    {"tini", "", "-p -e", 0, Role::container_shim},
    {"docker-init", "", "-p -e", 0, Role::container_shim},
    {"catatonit", "", "", 0, Role::container_shim},
    {"dumb-init", "", "-r --rewrite", 0, Role::container_shim},
    {"mpirun", "", kMpiOptions, 0, Role::launcher, kMpiPairs},
    {"mpiexec", "", kMpiOptions, 0, Role::launcher, kMpiPairs},
    {"orterun", "", kMpiOptions, 0, Role::launcher, kMpiPairs},
    {"prterun", "", kMpiOptions, 0, Role::launcher, kMpiPairs},
    {"trtllm-llmapi-launch", "", "", 0, Role::launcher},
};

constexpr std::string_view kContainerPrograms[] = {
    "docker",         "podman",         "nerdctl",        "ctr",          "crictl",
    "docker-compose", "podman-compose", "podman-remote",  "conmon",       "conmonrs",
    "runc",           "crun",           "youki",          "docker-proxy", "rootlessport",
    "slirp4netns",    "pasta",          "fuse-overlayfs", "aardvark-dns",
};
constexpr std::string_view kShells[] = {"bash", "sh", "dash", "ash", "zsh", "ksh", "mksh", "fish"};
constexpr std::size_t kMaxDepth = 8;

bool lists(std::string_view list, std::string_view word) {
  while (!list.empty()) {
    if (base::take_word(list) == word) return true;
  }
  return false;
}

bool is_shell(std::string_view name) {
  return std::ranges::find(kShells, name) != std::end(kShells);
}

bool is_option(std::string_view word) {
  return word.size() > 1 && word.front() == '-';
}

std::vector<std::string> copy_from(Words words, std::size_t first) {
  const auto rest = words.subspan(std::min(first, words.size()));
  return {rest.begin(), rest.end()};
}

// python, python3, python3.12, pypy3
bool is_python(std::string_view name) {
  for (const std::string_view stem : {"python", "pypy"}) {
    if (!name.starts_with(stem)) continue;
    return name.find_first_not_of("0123456789.", stem.size()) == std::string_view::npos;
  }
  return false;
}

// ld-linux-x86-64.so.2 --preload X PROGRAM, ld.so(8)
bool is_loader(std::string_view name) {
  return name.starts_with("ld-linux") || name.starts_with("ld-musl") || name == "ld.so";
}

Command parse_program(Words words) {
  return {.form = Form::program,
          .name = std::string(file_name(words[0])),
          .path = words[0],
          .arguments = copy_from(words, 1),
          .scripts = {},
          .role = Role::other};
}

Command make_python(Form form, std::string name, Words words, std::size_t rest) {
  return {.form = form,
          .name = std::move(name),
          .path = {},
          .arguments = copy_from(words, rest),
          .scripts = {},
          .role = Role::other};
}

// `words[i]` is an option of python, https://docs.python.org/3/using/cmdline.html
// Takes what it runs ("-m MODULE", "-cCODE", "-um MODULE"), or nothing if it only sets something.
std::optional<Command> take_python_option(Words words, std::size_t& i) {
  const std::string_view option = words[i];
  if (option.starts_with("--")) return std::nullopt;
  for (std::size_t letter = 1; letter < option.size(); ++letter) {
    const char c = option[letter];
    if (c != 'm' && c != 'c' && c != 'W' && c != 'X') continue;
    const bool attached = letter + 1 < option.size();
    if (!attached) ++i;
    if (c == 'W' || c == 'X') return std::nullopt;
    if (i >= words.size()) return make_python(Form::interpreter, "python", words, i);
    const std::string_view value = attached ? option.substr(letter + 1) : std::string_view(words[i]);
    return make_python(c == 'm' ? Form::module : Form::code, std::string(value), words, i + 1);
  }
  return std::nullopt;
}

Command parse_python(Words words) {
  std::size_t i = 1;
  for (; i < words.size() && is_option(words[i]); ++i) {
    if (auto command = take_python_option(words, i)) return *command;
  }
  if (i >= words.size() || words[i].empty() || words[i] == "-") {
    return make_python(Form::interpreter, "python", words, i);
  }
  return parse_program(words.subspan(i));
}

Command parse_shell(Words words) {
  Command command{.form = Form::shell,
                  .name = std::string(file_name(words[0])),
                  .path = words[0],
                  .arguments = {},
                  .scripts = {},
                  .role = Role::starting};
  for (std::size_t i = 1; i < words.size() && (is_option(words[i]) || words[i].starts_with("+")); ++i) {
    if (words[i] == "-o" || words[i] == "+o" || words[i] == "-O" || words[i] == "+O") {
      ++i;
      continue;
    }
    const bool has_text = !words[i].starts_with("--") && words[i].find('c') != std::string::npos;
    if (!has_text) continue;
    // Options may follow before the text: bash -c -e 'text'.
    do {
      ++i;
    } while (i < words.size() && is_option(words[i]));
    if (i < words.size()) command.scripts = split_shell_text(words[i]);
    break;
  }
  return command;
}

const Wrapper* find_wrapper(std::string_view name) {
  const auto* found = std::ranges::find(kWrappers, name, &Wrapper::name);
  return found == std::end(kWrappers) ? nullptr : found;
}

// A cursor over the words of a wrapper, up to the command it runs.
class WrapperReader {
 public:
  WrapperReader(const Wrapper& wrapper, Words words) : wrapper_(wrapper), words_(words) {}

  Command read() {
    skip_options();
    if (!wrapper_.verb.empty()) {
      if (at_ >= words_.size() || words_[at_] != wrapper_.verb) return parse_program(words_);
      ++at_;
      if (auto command = skip_options()) return *command;
    }
    at_ += wrapper_.positionals;
    if (at_ < words_.size() && words_[at_] == "--") ++at_;
    return make_wrapper(copy_from(words_, at_));
  }

 private:
  Command make_wrapper(std::vector<std::string> inner) const {
    return {.form = Form::wrapper,
            .name = std::string(wrapper_.name),
            .path = words_[0],
            .arguments = std::move(inner),
            .scripts = {},
            .role = wrapper_.role};
  }

  // Also skips NAME=value words, which env, sudo and exec take. A command may come out of `uv run -m MODULE`.
  std::optional<Command> skip_options() {
    while (at_ < words_.size()) {
      const std::string& word = words_[at_];
      if (word == "--") {
        ++at_;
        return std::nullopt;
      }
      if (wrapper_.name == "uv" && (word == "-m" || word == "--module")) {
        std::vector<std::string> inner{"python"};
        std::ranges::copy(words_.subspan(at_), std::back_inserter(inner));
        inner[1] = "-m";
        return make_wrapper(std::move(inner));
      }
      const bool assignment = !is_option(word) && word.find('=') < word.find('/');
      if (!is_option(word) && !assignment) return std::nullopt;
      at_ += 1;
      if (assignment) continue;
      if (lists(wrapper_.valued, word)) at_ += 1;
      if (lists(wrapper_.two_valued, word)) at_ += 2;
    }
    return std::nullopt;
  }

  const Wrapper& wrapper_;
  Words words_;
  std::size_t at_ = 1;
};

// env -S "python -m x" y: one word holds several, env(1).
std::optional<Command> parse_env_split(Words words) {
  if (words.size() < 2) return std::nullopt;
  std::string_view text;
  std::size_t rest = 2;
  if ((words[1] == "-S" || words[1] == "--split-string") && words.size() > 2) {
    text = words[2];
    rest = 3;
  } else if (words[1].starts_with("-S") && words[1].size() > 2) {
    text = std::string_view(words[1]).substr(2);
  } else if (words[1].starts_with("--split-string=")) {
    text = std::string_view(words[1]).substr(15);
  } else {
    return std::nullopt;
  }
  std::vector<std::string> inner{"env"};
  for (std::string_view word = base::take_word(text); !word.empty(); word = base::take_word(text)) {
    inner.emplace_back(word);
  }
  std::ranges::copy(words.subspan(rest), std::back_inserter(inner));
  return Command{.form = Form::wrapper,
                 .name = "env",
                 .path = words[0],
                 .arguments = std::move(inner),
                 .scripts = {},
                 .role = Role::starting};
}

void collect_final(Words words, std::size_t depth, std::vector<Command>& out) {
  Command command = parse_command(words);
  if (depth == 0 || command.form == Form::nothing) return;
  if (command.form == Form::wrapper) {
    collect_final(command.arguments, depth - 1, out);
  } else if (command.form == Form::shell && !command.scripts.empty()) {
    for (const auto& script : command.scripts) collect_final(script, depth - 1, out);
  } else {
    out.push_back(std::move(command));
  }
}

}  // namespace

std::string_view file_name(std::string_view path) {
  return path.substr(path.rfind('/') + 1);
}

Command parse_command(Words words) {
  if (words.empty() || words[0].empty()) return {};
  std::string_view name = file_name(words[0]);
  if (name.starts_with('-')) name.remove_prefix(1);  // a login shell
  if (is_python(name)) return parse_python(words);
  if (is_shell(name)) return parse_shell(words);
  if (name == "busybox" && words.size() > 1 && is_shell(words[1])) return parse_shell(words.subspan(1));
  if (std::ranges::find(kContainerPrograms, name) != std::end(kContainerPrograms) ||
      name.starts_with("containerd-shim")) {
    Command command = parse_program(words);
    command.form = Form::container_client;
    command.role = Role::container_shim;
    return command;
  }
  if (name == "env") {
    if (auto split = parse_env_split(words)) return *split;
  }
  if (const Wrapper* wrapper = find_wrapper(name)) return WrapperReader(*wrapper, words).read();
  if (is_loader(name)) {
    constexpr Wrapper kLoader{"ld.so", "", "--preload --library-path --argv0 --audit --inhibit-rpath"};
    return WrapperReader(kLoader, words).read();
  }
  return parse_program(words);
}

std::vector<Command> find_final_commands(Words words) {
  std::vector<Command> found;
  collect_final(words, kMaxDepth, found);
  return found;
}

}  // namespace allocd::engine
