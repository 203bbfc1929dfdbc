#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs test programs side by side and counts their tests. The last line is `N passed, N failed`.

A program is cmocka's; it is asked for TAP. One that ends badly without naming a failed test, or that runs no test,
counts as one failure."""
import argparse
import concurrent.futures
import os
import re
import subprocess
import sys
import time

LIMIT_S = 300


def run_program(path):
    environment = dict(os.environ, CMOCKA_MESSAGE_OUTPUT="TAP")
    began = time.monotonic()
    try:
        done = subprocess.run([path], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              timeout=LIMIT_S, env=environment, check=False)
        output, status = done.stdout.decode("utf-8", "replace"), done.returncode
    except subprocess.TimeoutExpired as stopped:
        output, status = (stopped.stdout or b"").decode("utf-8", "replace"), f"stopped after {LIMIT_S} s"
    passed = len(re.findall(r"^ok \d+", output, re.M))
    failed = len(re.findall(r"^not ok \d+", output, re.M))
    if failed == 0 and (status != 0 or passed == 0):
        failed = 1
    return path, passed, failed, status, output, time.monotonic() - began


def run_programs(paths, jobs):
    passed = failed = 0
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        for path, good, bad, status, output, seconds in pool.map(run_program, paths):
            passed += good
            failed += bad
            name = os.path.basename(path)
            if bad:
                print(f"FAILED {name}: {bad} of {good + bad}, exit {status}\n{output}")
            elif seconds > 2:
                print(f"{name}: {good} passed in {seconds:.0f} s")
    return passed, failed


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--programs", nargs="*", default=[])
    options = parser.parse_args()

    passed, failed = run_programs(options.programs, options.jobs)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
