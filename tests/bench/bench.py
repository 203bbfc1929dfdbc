#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""make bench: Rowlock beside nginx and PostgreSQL, as ratios within one run.

Servers run on one core, load generators on the other. Every figure is taken in RUNS rounds that visit all servers in
turn, so a slow minute of the machine slows all of them; ratios are of medians. A peer that is not installed is said to
be missing, and its ratio is left out."""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import load
import policies
import servers
import users

ROOT = Path(__file__).resolve().parents[2]
RUNS = 5
ROWS = 100_000
SAMPLE_IDS = 2_000
PAGE = 100
CEILINGS = {"requestsPerMinute": 2**24 - 1, "refreshesPerMinute": 1_000_000}
BODY = {"title": "a headline of ordinary length", "status": "published", "body": "x" * 120}
TRANSPORT_HEADERS = {"content-type", "content-length", "connection", "date", "server"}


def say(text):
    print(text, file=sys.stderr, flush=True)


def lua(method, headers, paths=None, body=None):
    """A wrk script: fixed requests, or one path of a list picked at random for each."""
    lines = [f'wrk.method = "{method}"']
    lines += [f'wrk.headers["{name}"] = "{value}"' for name, value in headers.items()]
    if body is not None:
        lines.append(f"wrk.body = [[{json.dumps(body)}]]")
    if paths:
        lines.append("local made, at = {}, 0")
        lines.append("function init() local paths = {" + ",".join(f'"{path}"' for path in paths) + "}")
        lines.append("  for i, path in ipairs(paths) do made[i] = wrk.format(nil, path) end end")
        lines.append("function request() at = at % #made + 1; return made[at] end")
    return "\n".join(lines)


def insert(box, table):
    return lua("POST", {"X-API-Key": box.info["secretKey"], "Content-Type": "application/json"}, [f"/v1/data/{table}"],
               BODY)


def page(box, table, number, limit):
    status, _, answer = box.call("GET", f"/v1/data/{table}?page={number}&limit={limit}", box.info["secretKey"])
    if status != 200:
        raise RuntimeError(f"list answered {status}: {answer}")
    return answer


def fill(box, table, rows):
    """Inserts at least so many rows over 32 connections. Answers how many there are and the ids of some of them."""
    while (total := page(box, table, 1, 1)["pagination"]["total"]) < rows:
        load.wrk(box.url, box.pid, 1, insert(box, table))
    pages = total // PAGE
    chosen = range(1, pages + 1, max(1, pages * PAGE // SAMPLE_IDS))
    return total, [row["id"] for number in chosen for row in page(box, table, number, PAGE)["items"]]


def raise_ceiling(box):
    """Rate limits stay on, with the highest ceilings there are: 280,000 requests a second, a million refreshes of a session."""
    keys = box.info
    status, _, answer = box.call("PATCH", f"/v1/admin/projects/{keys['projectId']}", keys["secretKey"],
                                 {"settings": CEILINGS})
    if status != 200:
        raise RuntimeError(f"settings answered {status}: {answer}")


def make_tables(box):
    keys = box.info
    for name in ("posts", "notes"):
        status, _, answer = box.call("POST", "/v1/admin/tables", keys["secretKey"], {
            "tableName": name, "schema": {"title": {"type": "string"}, "status": {"type": "string"},
                                          "body": {"type": "string"}},
            "permissions": {"guest": {"read": True, "list": True}, "self": {"read": True}}})
        if status != 201:
            raise RuntimeError(f"table creation answered {status}: {answer}")


class Table:
    """Collects samples by name and prints medians and ratios."""

    def __init__(self):
        self.samples = {}

    def add(self, name, sample):
        if sample.errors:
            raise RuntimeError(f"{name}: {sample.errors} failed requests; a figure with errors is no figure")
        self.samples.setdefault(name, []).append(sample)

    def median(self, name, field="rate"):
        return statistics.median(getattr(sample, field) for sample in self.samples[name])

    def show(self):
        print(f"{'what':34} {'req/s':>10} {'p50 ms':>8} {'p99 ms':>8} {'CPU us':>8}   (median of {RUNS}; CPU of all processes)")
        for name in self.samples:
            print(f"{name:34} {self.median(name):10.0f} {self.median(name, 'p50_ms'):8.2f} "
                  f"{self.median(name, 'p99_ms'):8.2f} {self.median(name, 'cpu_us'):8.2f}")

    def ratio(self, text, name, peer, goal):
        """Of the rates, and of the CPU times where both are known: what else runs on the machine disturbs those less."""
        if name not in self.samples or peer not in self.samples:
            print(f"{text:50} not measured: {peer if peer not in self.samples else name} is missing")
            return
        pairs = list(zip(self.samples[name], self.samples[peer]))
        rates = [a.rate / b.rate for a, b in pairs]
        print(f"{text:50} {statistics.median(rates):6.2f}  (runs {min(rates):.2f}..{max(rates):.2f}, goal {goal})", end="")
        if all(a.cpu_us > 0 and b.cpu_us > 0 for a, b in pairs):
            print(f"; by CPU time {statistics.median(b.cpu_us / a.cpu_us for a, b in pairs):.2f}", end="")
        print()


def run_tool(command):
    """Runs a C measuring tool on the server core; answers the numbers it prints."""
    out = subprocess.run(["taskset", "-c", servers.SERVER_CORE, *map(str, command)], check=True, capture_output=True,
                         text=True).stdout
    return [float(number) for number in out.split()]


def tls_of(port):
    out = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-brief"], input="",
                         capture_output=True, text=True).stderr
    return " ".join(line.split(":", 1)[1].strip() for line in out.splitlines()
                    if line.startswith(("Protocol version", "Ciphersuite")))


def measure_reads(table, box, peer, postgres, ids, seconds):
    reader = {"X-API-Key": box.info["publishableKey"]}
    read = lua("GET", reader, [f"/v1/data/posts/{row}" for row in ids])
    table.add("rowlock point read", load.wrk(box.url, box.pid, seconds, read))
    if box.lwip_url is not None:
        table.add("rowlock point read over lwIP", load.wrk(box.lwip_url, box.pid, seconds, read))
    if peer is not None:
        table.add("nginx static answer", load.wrk(peer.url, peer.pid, seconds, read))
    if postgres is not None:
        table.add("postgresql point read", load.pgbench(
            postgres.port, postgres.pid, seconds,
            "SELECT id, title, body, status, owner FROM posts WHERE id = :id;", postgres.rows))


def measure_inserts(table, box, tools, folder, seconds):
    table.add("rowlock durable insert", load.wrk(box.url, box.pid, seconds, insert(box, "notes")))
    [rate] = run_tool([tools / "fsync_rate", folder, seconds])
    table.add("one fsync per row", load.Sample(rate, 1000 / rate, 0.0, 0, 0.0))


def measure_scans(table, box, tools, folder, seconds):
    per_second, cpu_us = run_tool([tools / "scan_bare", folder, box.rows])
    table.add("bare cursor + open, rows/s", load.Sample(per_second, 0.0, 0.0, 0, cpu_us))
    path = "/v1/data/posts?andFilters=%7B%22title%22%3A%22nothing%22%7D"
    script = lua("GET", {"X-API-Key": box.info["secretKey"]}, [path])
    sample = load.wrk(box.url, box.pid, seconds, script, connections=1)
    sample.rate *= box.rows
    sample.cpu_us /= box.rows
    table.add("rowlock filtered scan, rows/s", sample)


def measure_handshakes(table, box, peer, tools, ids, seconds):
    for name, server in (("rowlock full handshake", box), ("nginx full handshake", peer)):
        if server is not None:
            table.add(name, load.handshakes(tools / "handshakes", server.port, server.pid, seconds,
                                            f"/v1/data/posts/{ids[0]}", box.info["publishableKey"]))


def show_index_seek(tools):
    one, ten = run_tool([tools / "index_seek"])
    print(f"\nsealed index, 200,000 entries: a seek takes {one:.2f} us under one epoch, {ten:.2f} us under ten, {ten / one:.2f} of it")


def measure_policies(costs, evaluator, tools, seconds):
    costs.measure(seconds)
    evaluator.add(run_tool([tools / "policy_cost"]))


def people_of(box, tools):
    return users.Users(box, BODY, lua, lambda seconds: run_tool([tools / "hash_rate", seconds]))


def answer_of(box, ids):
    status, headers, row = box.call("GET", f"/v1/data/posts/{ids[0]}", box.info["publishableKey"])
    if status != 200:
        raise RuntimeError(f"point read answered {status}")
    kept = [(name, value) for name, value in headers if name.lower() not in TRANSPORT_HEADERS]
    return json.dumps(row, separators=(",", ":")), kept


def print_report(table, box, first):
    cores = os.cpu_count()
    print(f"\ncores {cores}, load of the machine before the run {first['load']:.1f}; server on core {servers.SERVER_CORE}, "
          f"client on core {load.CLIENT_CORE}\nrows {box.rows}; answer {first['answer']} bytes of JSON; one rowlock reactor, one nginx worker, "
          f"{load.CONNECTIONS} connections\nTLS: rowlock {tls_of(box.port)}; {first['peers']}\n")
    table.show()
    print()
    table.ratio("point read / nginx static answer", "rowlock point read", "nginx static answer", ">= 0.8")
    table.ratio("point read / postgresql point read", "rowlock point read", "postgresql point read", ">= 1.5")
    table.ratio("point read over lwIP / over kernel sockets", "rowlock point read over lwIP", "rowlock point read", ">= 0.6")
    table.ratio("durable inserts / one fsync per row", "rowlock durable insert", "one fsync per row", ">= 3")
    table.ratio("bare loop / filtered scan", "bare cursor + open, rows/s", "rowlock filtered scan, rows/s", "<= 4")
    table.ratio("full handshakes / nginx", "rowlock full handshake", "nginx full handshake", ">= 0.5")
    print(f"{'idle memory, MiB: RSS of each process added up':50} {first['rss']:6.1f}  (goal <= 32)")
    print(f"{'  the same, each shared page once (PSS)':50} {first['pss']:6.1f}")
    print(f"{'  after the load, without pages of files':50} {first['after']:6.1f}")
    print(f"{'stripped binary, MiB':50} {first['binary']:6.2f}  (goal <= 4)")
    print(f"{'start to first answer with existing data, s':50} {first['start']:6.2f}  (goal <= 2)")


def stripped_mib(binary, folder):
    copy = Path(folder) / "stripped"
    subprocess.run(["strip", "-o", str(copy), str(binary)], check=True)
    return copy.stat().st_size / 2**20


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--binary", required=True)
    parser.add_argument("--tools", required=True, type=Path)
    parser.add_argument("--seconds", type=int, default=4)
    parser.add_argument("--rows", type=int, default=ROWS)
    args = parser.parse_args()
    load_before = os.getloadavg()[0]
    has_cable = servers.lay_cable()
    table = Table()
    with tempfile.TemporaryDirectory(prefix="rowlock-bench-") as folder:
        os.chmod(folder, 0o755)
        for name in ("nginx", "pg", "box", "tools"):
            os.mkdir(f"{folder}/{name}")
        say("filling the appliance")
        with servers.Rowlock(ROOT, args.binary, f"{folder}/box") as box:
            keys = box.info
            raise_ceiling(box)
            make_tables(box)
            rows, ids = fill(box, "posts", args.rows)
        with servers.Rowlock(ROOT, args.binary, f"{folder}/box") as box:
            box.info = {**keys, "url": box.url, "caFile": box.info["caFile"]}
            body, headers = answer_of(box, ids)
            first = {"start": box.seconds_since_start(), "pss": load.memory_mib(box.pid, "Pss"),
                     "rss": load.memory_mib(box.pid, "Rss"), "binary": stripped_mib(args.binary, folder),
                     "answer": len(body), "load": load_before}
        with servers.Rowlock(ROOT, args.binary, f"{folder}/box", has_cable) as box:
            box.info = {**keys, "url": box.url, "caFile": box.info["caFile"]}
            box.rows = rows
            costs, evaluator = policies.Policies(policies.Requests(box, BODY, lua)), policies.Evaluator()
            people = people_of(box, args.tools)
            say("starting the peers")
            peer = servers.Nginx(f"{folder}/nginx", body, headers) if shutil.which("nginx") else None
            postgres = servers.Postgres(f"{folder}/pg", BODY, rows) if servers.PG_BIN.exists() else None
            try:
                first["peers"] = "; ".join(([f"nginx {tls_of(peer.port)}"] if peer is not None else []) +
                                           ([f"postgresql {postgres.tls()}"] if postgres is not None else []))
                for run in range(RUNS):
                    say(f"round {run + 1} of {RUNS}")
                    measure_reads(table, box, peer, postgres, ids, args.seconds)
                    measure_inserts(table, box, args.tools, f"{folder}/tools", args.seconds)
                    measure_scans(table, box, args.tools, f"{folder}/tools", args.seconds)
                    measure_handshakes(table, box, peer, args.tools, ids, args.seconds)
                    measure_policies(costs, evaluator, args.tools, max(1, args.seconds // 4))
                    people.measure(args.seconds)
                first["after"] = load.memory_mib(box.pid, "Pss_Anon")
                print_report(table, box, first)
                costs.show()
                evaluator.show()
                people.show()
                show_index_seek(args.tools)
            finally:
                for server in (peer, postgres):
                    if server is not None:
                        server.stop()


if __name__ == "__main__":
    main()
