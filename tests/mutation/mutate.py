#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Mutation testing of firmware/rls: every comparison, boolean operator, verdict and constant of a .c file is changed,
one at a time, and the unit tests of the folder must notice.

A mutant is one changed source, linked with all tests of the folder into one program that stops at the first failure; a
crash, a hang or a failed test kills it. Those that pass are built again with the sanitizers and run once more, as in
`make check`. One that does not compile is not counted. Those that survive must stand in equivalent.txt, each with the
reason why no test can tell it from the original, and may be at most 2 in 100. A line there that fits no survivor is a
finding, too. Called by `make mutate`, which sets COMPILE and LIBS."""
import argparse
import concurrent.futures
import os
import pathlib
import re
import resource
import shlex
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
FOLDER = ROOT / "firmware/rls"
# The quick ones first: most mutants are dead before the others.
TESTS = [*(f"tests/unit/firmware_{name}_test.c" for name in ("rls", "rls_policy", "scope", "rls_vectors")),
         "tests/fault/rls_memory_test.c",
         *(f"tests/unit/firmware_rls_{name}_test.c" for name in ("stored", "expression"))]
# What the tests and firmware/rls stand on; the linker takes what it needs of it.
BENEATH = ["hal/base/*.c", "net/json.c", "net/json_out.c", "firmware/schema/*.c", "firmware/data/regex*.c",
           "firmware/data/schema_json.c", "tests/lib/json_box.c"]
WRAPPED = ["malloc", "calloc", "realloc"]  # by rls_memory_test
SURVIVORS_MAX = 0.02
RUNS_MAX = 4  # as much work as so many whole runs is a hang; by the processor's time, as the machine may be busy
RUN_S = 600
MEMORY = 2 << 30
SANITIZERS = ["-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-ftrivial-auto-var-init=pattern"]

HIDDEN = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|^[ \t]*#[ \t]*(?!define)[^\n]*|_Static_assert\(.*?;',
                    re.S | re.M)
COMPARISONS = {"==": ["!="], "!=": ["=="], "<": ["<=", ">="], "<=": ["<", ">"], ">": [">=", "<="], ">=": [">", "<"],
               "&&": ["||"], "||": ["&&"]}
VERDICTS = {"RLS_ALLOW": ["RLS_DENY", "RLS_OWNER"], "RLS_OWNER": ["RLS_DENY", "RLS_ALLOW"], "RLS_DENY": ["RLS_ALLOW"],
            "true": ["false"], "false": ["true"]}
TOKEN = re.compile(r"""(?P<skip>->|<<|>>|\+\+|--|\b[A-Za-z_]\w*\b(?<!true)(?<!false)(?<!RLS_ALLOW)(?<!RLS_OWNER)(?<!RLS_DENY))
                     |(?P<operator>==|!=|<=|>=|&&|\|\||<|>)
                     |(?P<verdict>\b(?:true|false|RLS_ALLOW|RLS_OWNER|RLS_DENY)\b)
                     |(?P<not>!)
                     |(?P<char>'(?:\\.|[^'\\])')
                     |(?P<number>\b(?:0[xX][0-9a-fA-F]+|[0-9]+)(?P<suffix>[uU]?)\b)""", re.X)


def masked(text):
    """The same length, with blanks for whatever is no code."""
    return HIDDEN.sub(lambda match: re.sub(r"[^\n]", " ", match.group()), text)


def replacements(match):
    if match["operator"]:
        return COMPARISONS[match["operator"]]
    if match["verdict"]:
        return VERDICTS[match["verdict"]]
    if match["not"]:
        return [""]
    if match["char"]:
        return [f"({match['char']} + 1)", f"({match['char']} - 1)"]
    if match["number"]:
        value = int(match["number"].rstrip("uU"), 0)
        return [f"{other}{match['suffix']}" for other in (value + 1, value - 1) if other >= 0]
    return []


FUNCTION = re.compile(r"^[a-z][^;={}()]*?\b(\w+)\([^;{}]*\)\s*\{", re.M)


def function_at(text, place):
    """The function whose body the place is in, or nothing."""
    name = ""
    for match in FUNCTION.finditer(text, 0, place):
        name = match[1] if text.find("\n}", match.end(), place) < 0 else ""
    return name


class Mutant:
    def __init__(self, path, text, match, other):
        line = text.count("\n", 0, match.start())
        self.path, self.number = path, line + 1
        lines = text.split("\n")
        begin = match.start() - (text.rfind("\n", 0, match.start()) + 1)
        before = lines[line]
        after = before[:begin] + other + before[begin + len(match.group()):]
        place = f"{path.name} {function_at(text, match.start())}".strip()
        self.name = f"{place} | {' '.join(before.split())} | {' '.join(after.split())}"
        self.text = text[:match.start()] + other + text[match.end():]


def mutants_of(path):
    text = path.read_text()
    for match in TOKEN.finditer(masked(text)):
        for other in replacements(match):
            yield Mutant(path, text, match, other)


def run(command, **how):
    return subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **how)


def must(command):
    done = run(command, cwd=ROOT)
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))}\n{done.stdout.decode()}")


class Bench:
    """What all mutants share: the tests and everything that they need beside firmware/rls, linked once."""

    def __init__(self, work, more, memory, jobs):
        self.work = work
        self.more = more
        self.memory = memory
        self.cpu_s = RUN_S
        self.compile = [*shlex.split(os.environ["COMPILE"]), *more]
        self.libs = shlex.split(os.environ["LIBS"])
        self.sources = sorted(FOLDER.glob("*.c"))
        work.mkdir(parents=True, exist_ok=True)
        with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
            tests = pool.map(self.make_test, range(len(TESTS)), TESTS)
            beneath = pool.map(self.make, sorted(path for each in BENEATH for path in ROOT.glob(each)))
            self.good = dict(zip(self.sources, pool.map(self.make, self.sources)))
            objects = [*tests, self.make_driver()]
        archive = work / "rest.a"
        archive.unlink(missing_ok=True)
        must(["ar", "rcs", archive, *beneath])
        self.rest = work / "rest.o"
        must(["ld", "-r", "-o", self.rest, *[f"--wrap={name}" for name in WRAPPED], *objects, archive])

    def make(self, source):
        target = self.work / ("_".join(source.relative_to(ROOT).with_suffix(".o").parts))
        must([*self.compile, "-c", "-o", target, source])
        return target

    def make_test(self, number, test):
        target = self.work / f"test{number}.o"
        must([*self.compile, f"-Dmain=test_main_{number}", "-c", "-o", target, ROOT / test])
        return target

    def make_driver(self):
        source = self.work / "driver.c"
        count = len(TESTS)
        source.write_text("".join(f"int test_main_{n}(void);\n" for n in range(count)) + "int main(void) { return " +
                          " || ".join(f"test_main_{n}() != 0" for n in range(count)) + "; }\n")
        target = self.work / "driver.o"
        must([*self.compile, "-c", "-o", target, source])
        return target

    def build(self, place, changed):
        objects = [changed.get(source, good) for source, good in self.good.items()]
        return run([self.compile[0], *self.more, "-o", place, self.rest, *objects, *self.libs], cwd=ROOT).returncode == 0

    def passes(self, program):
        def limit():
            resource.setrlimit(resource.RLIMIT_AS, (self.memory, self.memory))
            resource.setrlimit(resource.RLIMIT_CPU, (self.cpu_s, self.cpu_s))
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        stops = {**os.environ, "CMOCKA_TEST_ABORT": "1", "ASAN_OPTIONS": "allocator_may_return_null=1"}
        try:
            return run([program], cwd=ROOT, timeout=RUN_S, preexec_fn=limit, env=stops).returncode == 0
        except subprocess.TimeoutExpired:
            return False

    def measure(self):
        """Runs the tests without a mutant: what they take bounds the others."""
        whole = self.work / "whole"
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        if not self.build(whole, {}) or not self.passes(whole):
            sys.exit("the tests fail without a mutant")
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        self.cpu_s = 1 + int(RUNS_MAX * (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime))

    def survives(self, number, mutant):
        """None: it does not compile."""
        place = self.work / f"mutant{number}"
        source, target = place.with_suffix(".c"), place.with_suffix(".o")
        source.write_text(mutant.text)
        try:
            if run([*self.compile, "-c", "-o", target, source], cwd=ROOT).returncode != 0:
                return None
            if not self.build(place, {mutant.path: target}):
                return None
            return self.passes(place)
        finally:
            for path in (source, target, place):
                path.unlink(missing_ok=True)


def equivalents(path):
    """Paragraphs: the line of a survivor, as it is printed, and indented below it the reason."""
    reasons, name = {}, None
    for line in path.read_text().split("\n"):
        if line.startswith("#") or not line.strip():
            continue
        if line[0].isspace():
            reasons[name] += line.strip() + " "
        else:
            name = line.strip()
            reasons[name] = ""
    return reasons


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--work", type=pathlib.Path, required=True)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--only", default="", help="files whose name contains this")
    parser.add_argument("--tell", action="store_true", help="what passes without the sanitizers, as it is found")
    options = parser.parse_args()
    began = time.monotonic()
    bench = Bench(options.work.resolve(), ["-O0"], MEMORY, options.jobs)
    strict = Bench(bench.work / "strict", SANITIZERS, resource.RLIM_INFINITY, options.jobs)
    bench.measure()
    strict.measure()
    mutants = [mutant for source in bench.sources if options.only in source.name for mutant in mutants_of(source)]
    known = equivalents(pathlib.Path(__file__).with_name("equivalent.txt"))
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        quick = []
        for number, result in enumerate(pool.map(bench.survives, range(len(mutants)), mutants)):
            quick.append(result)
            if options.tell and result is not False:
                print(f"{number}: {result}: {mutants[number].name}", file=sys.stderr, flush=True)
        left = [number for number, result in enumerate(quick) if result]
        survived = pool.map(strict.survives, left, [mutants[number] for number in left])
        survivors = [mutants[number] for number, result in zip(left, survived) if result]
    compiled = sum(result is not None for result in quick)
    unknown = [mutant for mutant in survivors if not known.get(mutant.name)]
    for mutant in unknown:
        print(f"firmware/rls/{mutant.path.name}:{mutant.number}: survived: {mutant.name}")
    stale = [] if options.only else sorted(set(known) - {mutant.name for mutant in survivors})
    for name in stale:
        print(f"tests/mutation/equivalent.txt: no such survivor: {name}")
    share = len(survivors) / max(compiled, 1)
    print(f"{compiled} mutants, {compiled - len(survivors)} killed ({len(left) - len(survivors)} of them only under the "
          f"sanitizers), {len(survivors)} survived ({100 * share:.1f} %), {len(survivors) - len(unknown)} of them shown "
          f"equivalent; {len(mutants) - compiled} did not compile; {time.monotonic() - began:.0f} s")
    failed = len(unknown) + len(stale) + (not options.only and share > SURVIVORS_MAX) + (compiled == 0)
    print(f"{compiled - len(survivors)} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
