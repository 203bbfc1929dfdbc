# SPDX-License-Identifier: GPL-3.0-or-later
"""Load generators: wrk and a tool for handshakes against HTTPS, pgbench against PostgreSQL. 32 connections, pinned to the
client core.

Each run returns a Sample: requests per second, p50 and p99 in milliseconds, errors, and the CPU microseconds that the
server's processes spent per request, read from /proc before and after."""

import glob
import math
import os
import re
import subprocess
import tempfile
import time
from dataclasses import dataclass

CLIENT_CORE = "1"
CONNECTIONS = 32
TICK_US = 1_000_000 / os.sysconf("SC_CLK_TCK")


@dataclass
class Sample:
    rate: float
    p50_ms: float
    p99_ms: float
    errors: int
    cpu_us: float


def process_tree(pid):
    """A process and all its descendants."""
    pids = [pid]
    for parent in pids:
        try:
            with open(f"/proc/{parent}/task/{parent}/children") as children:
                pids += [int(child) for child in children.read().split()]
        except FileNotFoundError:
            continue
    return pids


def cpu_us(pid):
    """CPU time of a process tree so far, in microseconds, with that of children that have ended."""
    ticks = 0
    for member in process_tree(pid):
        try:
            with open(f"/proc/{member}/stat") as stat:
                fields = stat.read().rsplit(")", 1)[1].split()
        except FileNotFoundError:
            continue
        ticks += sum(int(field) for field in fields[11:15])
    return ticks * TICK_US


def busy_us(pid):
    """CPU time of the living threads of a process tree so far, in microseconds. Finer than the ticks of cpu_us, which a
    short run of a server on a busy machine spends few of; what has ended is not in it."""
    nanoseconds = 0
    for member in process_tree(pid):
        for schedstat in glob.glob(f"/proc/{member}/task/*/schedstat"):
            try:
                with open(schedstat) as times:
                    nanoseconds += int(times.read().split()[0])
            except FileNotFoundError:
                continue
    return nanoseconds / 1000


def move(pid, name, core):
    """Has all threads of the process tree's processes of that name run on that core."""
    for member in process_tree(pid):
        with open(f"/proc/{member}/comm") as comm:
            found = comm.read().strip() == name
        for thread in os.listdir(f"/proc/{member}/task") if found else []:
            os.sched_setaffinity(int(thread), {int(core)})


def memory_mib(pid, kind):
    """Of the appliance's processes, the software TPM aside: Rss, all pages of each; or Pss, where a page that several share
    counts once."""
    kib = 0
    for member in process_tree(pid):
        try:
            with open(f"/proc/{member}/comm") as name:
                if not name.read().startswith("rowlock"):
                    continue
            with open(f"/proc/{member}/smaps_rollup") as rollup:
                kib += int(re.search(rf"^{kind}:\s+(\d+)", rollup.read(), re.M).group(1))
        except FileNotFoundError:
            continue
    return kib / 1024


def _percentile(out, percent):
    """From wrk's table of percentiles, whose lines begin with the percentage; others may end with one."""
    found = re.search(rf"^\s+{percent}%\s+([\d.]+)(us|ms|s) *$", out, re.M)
    if found is None:  # not one answer came
        return math.inf
    return float(found.group(1)) * {"us": 0.001, "ms": 1.0, "s": 1000.0}[found.group(2)]


def wrk(url, server_pid, seconds, script, connections=CONNECTIONS):
    """Runs wrk with a Lua script (text) that defines the requests."""
    with tempfile.NamedTemporaryFile("w", suffix=".lua", delete=False) as lua:
        lua.write(script)
    before = busy_us(server_pid)
    try:
        out = subprocess.run(
            ["taskset", "-c", CLIENT_CORE, "wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency",
             "--timeout", "10s", "-s", lua.name, url],
            capture_output=True, text=True, check=True).stdout
    finally:
        os.unlink(lua.name)
    spent = busy_us(server_pid) - before
    requests = int(re.search(r"(\d+) requests in", out).group(1))
    socket_errors = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", out)
    refused = re.search(r"Non-2xx or 3xx responses: (\d+)", out)
    if socket_errors or refused:
        print(out)
    errors = sum(map(int, socket_errors.groups())) if socket_errors else 0
    errors += int(refused.group(1)) if refused else 0
    return Sample(rate=float(re.search(r"Requests/sec:\s+([\d.]+)", out).group(1)),
                  p50_ms=_percentile(out, 50),
                  p99_ms=_percentile(out, 99),
                  errors=errors, cpu_us=spent / max(requests, 1))


def handshakes(tool, port, server_pid, seconds, path, key):
    """Runs the tool for full handshakes; wrk resumes the session of the connection before, if the server gives tickets."""
    before = cpu_us(server_pid)
    out = subprocess.run(["taskset", "-c", CLIENT_CORE, str(tool), str(port), path, key, str(seconds), str(CONNECTIONS)],
                         capture_output=True, text=True, check=True).stdout
    spent = cpu_us(server_pid) - before
    rate, p50_ms, p99_ms, requests, errors = map(float, out.split())
    return Sample(rate=rate, p50_ms=p50_ms, p99_ms=p99_ms, errors=int(errors), cpu_us=spent / max(requests, 1))


def pgbench(port, server_pid, seconds, statement, rows):
    """Runs one prepared statement over random row numbers; percentiles come from the per-transaction log."""
    with tempfile.TemporaryDirectory() as folder:
        with open(f"{folder}/read.sql", "w") as sql:
            sql.write(f"\\set id random(1, {rows})\n{statement}\n")
        before = cpu_us(server_pid)
        out = subprocess.run(
            ["taskset", "-c", CLIENT_CORE, "pgbench", "-h", "127.0.0.1", "-p", str(port), "-U", "reader", "-n",
             "-M", "prepared", "-c", str(CONNECTIONS), "-j", "1", "-T", str(seconds), "-f", "read.sql", "-l",
             "--log-prefix", f"{folder}/log", "postgres"],
            capture_output=True, text=True, check=True, cwd=folder,
            env={**os.environ, "PGSSLMODE": "require", "PGPASSWORD": "reader"}).stdout
        time.sleep(0.2)  # until the server has seen its children off
        spent = cpu_us(server_pid) - before
        times = []
        for name in os.listdir(folder):
            if name.startswith("log"):
                with open(f"{folder}/{name}") as log:
                    times += [int(line.split()[2]) for line in log]
    times.sort()
    count = max(len(times), 1)
    return Sample(rate=float(re.search(r"tps = ([\d.]+)", out).group(1)),
                  p50_ms=times[len(times) // 2] / 1000 if times else 0.0,
                  p99_ms=times[len(times) * 99 // 100] / 1000 if times else 0.0,
                  errors=0, cpu_us=spent / count)
