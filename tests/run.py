#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs test programs side by side and counts their tests. The last line is `N passed, N failed`.

A program speaks TAP (cmocka is asked for it; the lint and the proofs do so by themselves). One that ends badly without
naming a failed test, or that runs no test, counts as one failure, and so does a test that is left out without a reason.
Black-box tests are run by pytest afterwards, with the program to test in $ROWLOCK; its summary is counted in the same way."""
import argparse
import concurrent.futures
import os
import re
import shlex
import signal
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree

LIMIT_S = 300
PYTEST_LIMIT_S = 1500
SLOWEST = 20  # black-box tests that are named with their times


def run_alone(command, limit_s, **how):
    """In a session of its own, so that one that hangs is ended with all that it started, and holds up nobody. Gives the
    output, if it is piped, and the exit status or None."""
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True, **how) as running:
        try:
            output, _ = running.communicate(timeout=limit_s)
            return output, running.returncode
        except subprocess.TimeoutExpired:
            os.killpg(running.pid, signal.SIGKILL)
            output, _ = running.communicate()
            return output, None
        except BaseException:
            os.killpg(running.pid, signal.SIGKILL)
            raise


def left_out(output):
    """The tests of a program that skipped themselves, each with its reason, which is empty if none was told. It stands
    behind the SKIP; but cmocka 1.1, which writes "not ok 7 # SKIP name", has it in a line before (tests/lib/leave_out.h)."""
    reason, tests = "", []
    for line in output.splitlines():
        told = re.match(r"# left out: (.+)", line)
        ended = re.match(r"(not )?ok \d+[ -]*(.*?) *(# SKIP *(.*))?$", line)
        if told:
            reason = told[1]
        elif ended:
            if ended[3]:
                tests.append((ended[4], reason) if ended[1] else (ended[2], ended[4]))
            reason = ""
    return tests


def run_program(command, limit_s):
    environment = dict(os.environ, CMOCKA_MESSAGE_OUTPUT="TAP")
    # A test that asks for more memory than there is wants the refusal, not a stop.
    environment.setdefault("ASAN_OPTIONS", "allocator_may_return_null=1")
    began = time.monotonic()
    output, status = run_alone(shlex.split(command), limit_s, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment)
    output = output.decode("utf-8", "replace")
    if status is None:
        status = f"stopped after {limit_s} s"
    passed = len(re.findall(r"^ok \d+(?!.*# SKIP)", output, re.M))
    skipped = left_out(output)
    failed = len(re.findall(r"^not ok \d+(?!.*# SKIP)", output, re.M)) + sum(not reason for _, reason in skipped)
    if failed == 0 and (status != 0 or passed + len(skipped) == 0):
        failed = 1
    return command, passed, failed, skipped, status, output, time.monotonic() - began


def run_programs(commands, jobs, limit_s, tell):
    passed = failed = skipped = 0
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        for command, good, bad, tests, status, output, seconds in pool.map(lambda command: run_program(command, limit_s), commands):
            passed += good
            failed += bad
            skipped += len(tests)
            words = command.split()
            name = os.path.basename(words[-1 if "valgrind" in words else 0])
            if bad:
                told = "\n".join(line for line in output.splitlines() if not re.match(r"ok \d+|\d+\.\.\d+$", line))
                print(f"FAILED {name}: {bad} of {good + bad}, exit {status}\n{told}", flush=True)
            elif seconds > 2:
                print(f"{name}: {good} passed in {seconds:.0f} s", flush=True)
            for line in re.findall(r"^ok \d+(?!.*# SKIP).*$", output, re.M) if tell else []:
                print(f"{name}: {line}", flush=True)
            for test, reason in tests:
                print(f"{name}: LEFT OUT {test}: {reason or 'without a reason, which counts as failed'}", flush=True)
    return passed, failed, skipped


def run_pytest(folder, jobs, expression, results, limit_s, tell):
    """All black-box tests, `jobs` at a time. A run that collects nothing or breaks off is a failure."""
    command = ["/usr/bin/python3", "-m", "pytest", "-q", "--color=no", "-p", "no:cacheprovider", "-rfEs", "-n", str(jobs),
               "--junit-xml", results, folder]
    if expression:
        command[-1:-1] = ["-k", expression]
    if tell:
        command[-1:-1] = [f"--durations={SLOWEST}"]
    print(f"black-box tests in {folder}, {jobs} at a time", flush=True)
    if os.path.exists(results):
        os.remove(results)
    _, status = run_alone(command, limit_s)
    if status is None:
        print(f"FAILED black-box tests: stopped after {limit_s} s", flush=True)
    try:
        suite = xml.etree.ElementTree.parse(results).getroot().find("testsuite")
    except (FileNotFoundError, xml.etree.ElementTree.ParseError):
        return 0, 1, 0
    total, bad, skipped = (int(suite.get(name)) for name in ("tests", "failures", "skipped"))
    bad += int(suite.get("errors"))
    if bad == 0 and status != 0:
        bad = 1
    return max(total - bad - skipped, 0), bad, skipped


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--program-jobs", type=int, help="for programs, of which some may wait more than they compute")
    parser.add_argument("--programs", nargs="*", default=[])
    parser.add_argument("--pytest", help="folder of black-box tests")
    parser.add_argument("-k", dest="expression", default="", help="only the black-box tests that match")
    parser.add_argument("--results", default="results.xml")
    parser.add_argument("--tell", action="store_true", help="print the line of every test that passed, and the slowest of the black box")
    parser.add_argument("--limit", type=int, default=LIMIT_S, help="seconds for one program")
    parser.add_argument("--pytest-limit", type=int, default=PYTEST_LIMIT_S, help="seconds for all black-box tests")
    options = parser.parse_args()

    began = time.monotonic()
    place = os.path.dirname(os.path.abspath(options.results))
    os.makedirs(place, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="run-", dir=place) as folder:
        os.environ["ROWLOCK_RUN"] = folder  # what programs of one run may share
        passed, failed, skipped = run_programs(options.programs, options.program_jobs or options.jobs, options.limit, options.tell)
    if options.pytest:
        print(f"so far {passed} passed, {failed} failed, in {time.monotonic() - began:.0f} s", flush=True)
        good, bad, others = run_pytest(options.pytest, options.jobs, options.expression, options.results,
                                       options.pytest_limit, options.tell)
        passed += good
        failed += bad
        skipped += others
        print(f"all in {time.monotonic() - began:.0f} s", flush=True)
    if skipped:
        print(f"{skipped} left out: the lines above say which and why")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
