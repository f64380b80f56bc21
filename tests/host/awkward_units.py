# SPDX-License-Identifier: Apache-2.0
"""Random units whose environment is hard to compute: quotes, escapes, specifiers, continuations, resets, drop-ins
in every directory, environment files. The same seed gives the same units."""

from __future__ import annotations

import dataclasses
import random

UNIT_DIRECTORIES = ("/usr/lib/systemd/system", "/run/systemd/system", "/etc/systemd/system")
FILE_DIRECTORY = "/etc/awkward"
OUTPUT_DIRECTORY = "/run/awkward"
NAMES = ("A", "B", "LD_PRELOAD", "MALLOC_CONF", "_x9", "PATH", "LANG", "container", "FROM_MANAGER", "FROM_DEFAULT",
         "FROM_SYSTEMD")
# Pieces of values. Most words need some luck to be valid, and that is the point.
PIECES = ("a", "b c", "=", ":", "/usr/lib/x.so", "$HOME", "${A}", "#", ";", "[", "é", "\u2028", "~", "`", "*", "\t",
          "\\n", "\\t", "\\a\\b\\f\\r\\v", "\\s", "\\\\", "\\\"", "\\'", "\\x41", "\\x25n", "\\101", "\\u00e9", "\\U0001F600", "\\x7f",
          "\\e", "\\x0", "\\x00", "\\ud800", "\\400", "\\$", "\\ ", "\\xff", "\\ufffe",
          "%%", "%n", "%N", "%p", "%P", "%i", "%I", "%j", "%J", "%f", "%y", "%Y", "%t", "%S", "%C", "%L", "%E", "%T",
          "%V", "%d", "%u", "%U", "%g", "%G", "%h", "%", "% ", "%=", "%é", "%x", "%K", "%9")
FILE_PIECES = ("a", "b", " ", "  ", "\t", "=", "$", "`", "#", ";", "'", "\"", "\\", "\\\"", "\\$", "\\`", "\\n", "\\\\",
               "\\\n", "\n", "\r\n", "\r", "\\\r\n", "é", "%n", "x y")
STEMS = ("plain", "foo-bar", "a\\x2db", "foo-bar-baz", "x_0123456789abcdef", "-lead", "trail-", "up-..-down")
INSTANCES = ("i", "a-b", "a\\x2db", "-", "-x", "\\xc3\\xa9", "b\\x", "a@b", "x-..-y", "a--b", "\\xff", "\\x00z")


def any_text(rng: random.Random) -> str:
    """Any characters systemd takes in a value: no NUL, no surrogates, no noncharacters."""
    special = "\"'\\%$`\n\r\t =#;[]*-\x01\x1b\x7f\ufeff"
    found = []
    for _ in range(rng.randint(0, 12)):
        code = rng.randint(1, 0x10FFFF)
        valid = not (0xD800 <= code <= 0xDFFF or 0xFDD0 <= code <= 0xFDEF or code & 0xFFFE == 0xFFFE)
        found.append(chr(code) if valid and rng.random() < 0.3 else rng.choice(special))
    return "".join(found)


@dataclasses.dataclass
class AwkwardUnit:
    number: int
    name: str
    files: dict[str, bytes]  # by path; the unit's own file first

    @property
    def output(self) -> str:
        return f"{OUTPUT_DIRECTORY}/{self.number}"

    def text(self) -> str:
        parts = [self.name]
        for path, content in self.files.items():
            parts.append(f"--- {path}")
            parts.extend(repr(line)[1:] for line in content.splitlines(keepends=True))
        return "\n".join(parts)


def _value(rng: random.Random) -> str:
    return "".join(rng.choices(PIECES, k=rng.randint(0, 4)))


def _word(rng: random.Random, names: tuple[str, ...] = NAMES) -> str:
    name = rng.choice(names) if rng.random() < 0.95 else rng.choice(("1a", "", "a-b", "é", "%i", "%p", "\\x41"))
    value = _value(rng)
    quote = rng.choice(("", "", "'", "\""))
    kind = rng.randint(0, 9)
    if kind < 5:
        return f"{quote}{name}={value}{quote}"
    if kind < 8:
        return f"{name}={quote}{value}{quote}"
    if kind == 8:
        return f"{name}={quote}{value}{quote}{rng.choice(PIECES)}"
    return f"{name}={quote}{value}" if rng.random() < 0.3 else f"{name}"


def _words(rng: random.Random) -> str:
    return rng.choice((" ", "  ", "\t")).join(_word(rng) for _ in range(rng.randint(1, 3)))


def _names(rng: random.Random) -> str:
    choices = (*NAMES, "not-valid", "'A'", "\"B\"", "\\A", "%p", "\"", "LD_%%X")
    return " ".join(rng.choices(choices, k=rng.randint(1, 3)))


def _removals(rng: random.Random) -> str:
    return " ".join(rng.choice((rng.choice(NAMES), f"{rng.choice(NAMES)}=", f"{rng.choice(NAMES)}=a", _word(rng)))
                    for _ in range(rng.randint(1, 2)))


def _broken_up(rng: random.Random, line: str) -> str:
    """The same assignment over several lines, at places that may or may not matter."""
    if rng.random() < 0.75:
        return line
    at = rng.randint(0, len(line))
    between = rng.choice(("", "# a comment inside\n", "  ; and this \\\n", "\\\n", "   "))
    return f"{line[:at]}\\\n{between}{line[at:]}"


def _assignment(rng: random.Random, files: list[str]) -> str:
    kind = rng.randint(0, 19)
    if kind < 10:
        line = f"Environment={_words(rng)}"
    elif kind < 13 and files:
        line = f"EnvironmentFile={rng.choice(files)}"
    elif kind < 15:
        line = f"UnsetEnvironment={_removals(rng)}"
    elif kind < 17:
        line = f"PassEnvironment={_names(rng)}"
    elif kind < 19:
        line = rng.choice(("Environment=", "EnvironmentFile=", "UnsetEnvironment=", "PassEnvironment="))
    else:
        line = rng.choice(("Environment", "=A=b", "# Environment=A=comment", "; x \\",
                           "[X-Other]\nEnvironment=A=other\n[Service]", "[ Service ]\nEnvironment=B=blank\n[Service]",
                           "environment=A=lower", "Environment =A=blank", "\\", "", " [Service] ", "Environment=A=\\"))
    line = rng.choice(("", "", "", " ", "\t")) + _broken_up(rng, line) + rng.choice(("", "", "", " ", "\r", "\n\\"))
    return line


def _bytes(rng: random.Random, lines: list[str], may_break: bool) -> bytes:
    text = rng.choice(("\n", "\n", "\n", "\r\n")).join(lines).encode()
    if rng.random() < 0.05:
        text = b"\xef\xbb\xbf" + text
    if may_break and rng.random() < 0.08:
        breaker = rng.choice((b"\n[Service\n", b"\nEnvironment=A=\xff\n", b"\n[Ser\"vice]\n", b"\0",
                              b"\n# \xff comment\n"))
        at = rng.randint(0, len(text))
        text = text[:at] + breaker + text[at:]
    return text + rng.choice((b"\n", b"\n", b""))


def _environment_file(rng: random.Random) -> bytes:
    lines = []
    for _ in range(rng.randint(0, 5)):
        kind = rng.randint(0, 9)
        name = rng.choice(NAMES)
        value = "".join(rng.choices(FILE_PIECES, k=rng.randint(0, 5)))
        quote = rng.choice(("", "'", "\""))
        if kind < 7:
            blanks = rng.choices(("", " "), k=3)
            lines.append(f"{blanks[0]}{name}{blanks[1]}={blanks[2]}{quote}{value}{quote}")
        elif kind == 7:
            lines.append(rng.choice(("# comment", "; comment \\", "# \\\\", "#\\", "", "   ", "\\")))
        else:
            lines.append(rng.choice((f"export {name}=x", f"1{name}=x", "==x", "=x", name, f"{name}={value}")))
    text = rng.choice(("\n", "\n", "\r\n")).join(lines).encode()
    if rng.random() < 0.04:
        text += rng.choice((b"\nA=\xff\n", b"\nA=\0\n", b"\nA=\xef\xbf\xbe\n"))
    return text + rng.choice((b"\n", b"\n", b"", b"\\"))


def _environment_files(rng: random.Random, number: int, into: dict[str, bytes]) -> list[str]:
    """Writes some; gives ways to name them, right and wrong."""
    directory = f"{FILE_DIRECTORY}/{number}"
    ways = ["-/nowhere/at/all", "relative", "-", f"-{directory}/../x", "/dev/null", "-%q%K/x"]
    for name in rng.sample(("one.env", "two.env", "a b.env", "[x].env", ".hidden", "per%cent"), k=rng.randint(0, 3)):
        into[f"{directory}/{name}"] = _environment_file(rng)
        ways.extend([f"{directory}/{name.replace('%', '%%')}"] * 2)
        ways.append(f"-{directory}//./{name.replace('%', '%%')}")
        ways.append(f"-{directory}/{name[:2]}*")
    ways.extend((f"-{directory}/*", f"-{directory}/*.env", f"-{directory}/[!a]*", f"-/etc/awkw*/{number}/??e.env",
                 f"-{directory}/\\[x].env"))
    if rng.random() < 0.1:
        ways.append("/nowhere/at/all")
    return ways


def _drop_in_directories(name: str) -> list[str]:
    stem, suffix = name.rsplit(".", 1)
    found = [name]
    if "@" in stem:
        found.append(f"{stem.split('@')[0]}@.{suffix}")
    return [f"{directory}/{each}.d" for directory in UNIT_DIRECTORIES for each in found]


def _unit_name(rng: random.Random, number: int) -> tuple[str, str]:
    """The unit and the file it comes from."""
    stem = f"{rng.choice(STEMS)}{number}" if rng.random() < 0.7 else f"aw{number}-{rng.choice(STEMS).strip('-')}"
    if rng.random() < 0.6:
        return f"{stem}.service", f"{stem}.service"
    return f"{stem}@{rng.choice(INSTANCES)}.service", f"{stem}@.service"


def generate(seed: int, number: int) -> AwkwardUnit:
    rng = random.Random(seed * 100_003 + number)
    name, file_name = _unit_name(rng, number)
    environment_files: dict[str, bytes] = {}
    ways = _environment_files(rng, number, environment_files)
    head = ["[Unit]", "Description=awkward", "DefaultDependencies=no", "[Service]", "Type=oneshot", "RemainAfterExit=yes",
            f"ExecStart=/usr/bin/cp /proc/self/environ {OUTPUT_DIRECTORY}/{number}"]
    lines = head + [_assignment(rng, ways) for _ in range(rng.randint(1, 6))]
    files = {f"{rng.choice(UNIT_DIRECTORIES)}/{file_name}": _bytes(rng, lines, may_break=False)}
    for directory in rng.sample(_drop_in_directories(name), k=rng.randint(0, 3)):
        for drop_in in rng.sample(("10-a.conf", "50-b.conf", "zz-allocd.conf", "Z.conf", "not-one"), k=rng.randint(1, 2)):
            more = ["[Service]"] if rng.random() < 0.95 else []
            more += [_assignment(rng, ways) for _ in range(rng.randint(1, 3))]
            files[f"{directory}/{drop_in}"] = _bytes(rng, more, may_break=True)
    return AwkwardUnit(number, name, files | environment_files)
