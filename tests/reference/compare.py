#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Compares the evaluator of the firmware with the reference: everything in a small scope, then random cases.

    tests/reference/compare.py <rls_tool>

ROWLOCK_ORACLE=full takes the larger scope; ROWLOCK_ORACLE_TUPLES the number of random tuples; ROWLOCK_SEED takes
other ones. A difference is shrunk and printed as a case that can be piped into the tool. Prints TAP."""

import concurrent.futures
import itertools
import json
import os
import random
import subprocess
import sys
import time

import cases
import policy as reference
import vectors
from policy import ALLOW, DENY, OPS, OWNER

FULL = os.environ.get("ROWLOCK_ORACLE") == "full"
TUPLES = int(os.environ.get("ROWLOCK_ORACLE_TUPLES", "50000"))
SEED = os.environ.get("ROWLOCK_SEED", "1")
SYSTEM = {"id": "0" * 24, "createdAt": "2026-01-02T03:04:05.678Z", "updatedAt": "2026-01-02T03:04:05.678Z"}
LETTER = {ALLOW: "A", OWNER: "O", DENY: "D"}
BATCH = 500  # cases asked at a time


class Tool:
    """The firmware's evaluator, one case a line."""

    def __init__(self, program, *options):
        self.process = subprocess.Popen([program, *options], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.writer = concurrent.futures.ThreadPoolExecutor(1)

    def ask(self, asked):
        """The answers of the tool and those of the reference, each worked out while the other is."""
        text = "".join(json.dumps(case, separators=(",", ":")) + "\n" for case in asked)
        written = self.writer.submit(self._write, text)
        wanted = [expected(case) for case in asked]
        answers = [self.process.stdout.readline().rstrip("\n") for _ in asked]
        written.result()
        return list(zip(answers, wanted))

    def _write(self, text):
        self.process.stdin.write(text)
        self.process.stdin.flush()

    def close(self):
        self.process.stdin.close()
        status = self.process.wait()
        self.writer.shutdown()
        return status


def seen_of(table, who, row, decided, columns):
    """Of one row: whose it is, who reaches it, whether it may be written, which columns an answer has."""
    owner = reference.owns(who, row)
    writable = reference.outcome(reference.check_writes, table, who, row, owner)[0] == 200
    shown = reference.project(table, who, {**SYSTEM, **row})
    return "".join("01"[each]
                   for each in (owner, *(reference.reachable(table, who, op, row, decided[op][0]) for op in OPS[1:]),
                                           writable, *(name in shown for name in columns)))


def asked_of(table, who, rows, members):
    """Of a filter that the requester asks: for which rows it holds."""
    if reference.outcome(reference.check_question, table, who, {"andFilters": members})[0] != 200:
        return "D"
    holds = reference.client_member_holds(table, who)
    return "".join("01"[reference.filters.every(row, members, holds)] for row in rows)


def answer_of(table, who, columns, rows, asked):
    """What the tool has to print for one requester."""
    decided = {op: reference.decide(table, op, who) for op in OPS}
    ops = "".join(("s" if code == reference.SYSTEM else LETTER[verdict]) + str(step) for verdict, code,
                  step in decided.values())
    fields = "".join(LETTER[reference.column(table, who, name, access)] for name in columns
                     for access in ("read", "write"))
    entries = table["policy"].get("rowFilters") or []
    kinds = "".join("-" if who["group"] == "admin" else LETTER[reference.contribution(who, entry)] for entry in entries)
    seen = "".join(seen_of(table, who, row, decided, columns) for row in rows)
    held = "".join(asked_of(table, who, rows, members) for members in asked)
    return f"{ops}/{fields}/{kinds}/{seen}/{held}"


def expected(case):
    table = {"name": case["table"], "preset": case["preset"], "policy": case["policy"]}
    try:
        reference.check_policy(case["policy"])
    except reference.Malformed:
        return "refused"
    return " ".join(answer_of(table, who, case["columns"], case["rows"], case["asked"]) for who in case["who"])


# --- shrinking ---

def smaller_texts(text):
    for joint in "|&":
        parts = text.split(joint)
        if len(parts) > 1:
            yield from (joint.join(parts[:at] + parts[at + 1:]) for at in range(len(parts)))
    if "".join(text.split()) != text:
        yield "".join(text.split())


def smaller(value):
    """Values with one thing less; what has to be there is not taken away: a requester's members, a row's createdBy."""
    if isinstance(value, dict):
        for name in value:
            if name not in ("table", "preset", "policy", "who", "columns", "rows", "asked", "group", "id", "roles",
                            "createdBy"):
                yield {each: member for each, member in value.items() if each != name}
        for name, member in value.items():
            yield from ({**value, name: less} for less in smaller(member))
    elif isinstance(value, list):
        yield from (value[:at] + value[at + 1:] for at in range(len(value)))
        for at, member in enumerate(value):
            yield from (value[:at] + [less] + value[at + 1:] for less in smaller(member))
    elif isinstance(value, str):
        yield from smaller_texts(value)


def shrink(tool, case):
    """A case that differs still, and none that is smaller by one thing does."""
    while True:
        for less in smaller(case):
            (got, wanted), = tool.ask([less])
            if got != wanted:
                case = less
                break
        else:
            return case


# --- runs ---

class Difference(Exception):
    pass


def tuples_in(case):
    return len(case["who"]) * len(case["rows"]) * len(OPS)


def compare(tool, source):
    """The numbers of cases and of (policy, requester, operation, row) tuples; raises the first Difference."""
    count = tuples = 0
    source = iter(source)
    while batch := list(itertools.islice(source, BATCH)):
        for case, (got, wanted) in zip(batch, tool.ask(batch)):
            if got != wanted:
                least = shrink(tool, case)
                (got, wanted), = tool.ask([least])
                raise Difference(f"case {count}, shrunk: {json.dumps(least)}\n"
                                 f"  reference: {wanted}\n  firmware:  {got}")
            count += 1
            tuples += tuples_in(case)
    return count, tuples


EXHAUSTIVE = [(f"every expression of {atoms} atoms", lambda atoms=atoms: cases.every_expression(atoms))
              for atoms in range(1, 5 if FULL else 4)] + [
    ("every set of operations with an expression", cases.every_set_of_operations),
    ("every guard before the policy", cases.every_guard),
    ("every matrix of rights", cases.every_matrix),
    ("every shape of a column rule", cases.every_column_rule),
    (f"every list of up to {3 if FULL else 2} row filters", lambda: cases.every_row_filter(3 if FULL else 2)),
    (f"every text of {4 if FULL else 3} tokens", lambda: cases.every_text(4 if FULL else 3))]

PLANTS = ("list-is-read", "first-role-lost", "own-column-for-all", "nobody-owns-empty")


def random_cases(seed, count):
    dice = random.Random(seed)
    return (cases.any_case(dice) for _ in range(count))


def report(number, name, function):
    began = time.monotonic()
    try:
        told = function()
    except Difference as difference:
        print("\n".join("# " + line for line in str(difference).splitlines()))
        print(f"not ok {number} - {name}", flush=True)
        return False
    print(f"ok {number} - {name}: {told}, {time.monotonic() - began:.1f} s", flush=True)
    return True


def same_answers(program, source):
    tool = Tool(program)
    try:
        count, tuples = compare(tool, source)
    finally:
        status = tool.close()
    if status != 0:
        raise Difference(f"the tool ended with {status}")
    return f"{count} policies, {tuples} tuples"


def found_plant(program, plant):
    """The comparison finds an evaluator that is wrong in one rule, and shows it by a small case."""
    tool = Tool(program, "--plant", plant)
    try:
        compare(tool, random_cases(SEED, 5000))
    except Difference as difference:
        least = json.loads(str(difference).split("shrunk: ")[1].splitlines()[0])
        if len(least["who"]) == 1 and len(json.dumps(least["policy"])) < 200:
            return json.dumps(least["policy"])
        raise Difference(f"not small: {difference}") from None
    finally:
        tool.close()
    raise Difference(f"the evaluator with {plant} passed for right")


def contract_vectors():
    wrong, count = vectors.wrong()
    if wrong or not count:
        raise Difference("\n".join(wrong))
    return f"{count} vectors"


def main():
    program = sys.argv[1]
    runs = [("the reference answers the vectors of the contract", contract_vectors)]
    runs += [(name, lambda source=source: same_answers(program, source())) for name, source in EXHAUSTIVE]
    runs.append((f"random cases, ROWLOCK_SEED={SEED}", lambda: same_answers(program, random_cases(SEED, TUPLES // 10))))
    runs += [(f"the planted defect {plant} is found", lambda plant=plant: found_plant(program, plant))
             for plant in PLANTS]
    fine = [report(number, name, function) for number, (name, function) in enumerate(runs, 1)]
    print(f"1..{len(runs)}")
    return 0 if all(fine) else 1


if __name__ == "__main__":
    sys.exit(main())
