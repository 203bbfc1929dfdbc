# SPDX-License-Identifier: GPL-3.0-or-later
"""Boxes with firmware, Secure Boot and TPM that have provisioned themselves and have a row, and what is done with them."""
import http.client
import json
import re
import ssl
from pathlib import Path

from lab import DIRECT_S, USER_SPACE_S, Report, ask, connected, ensure, report_of

ROW = {"text": "kept"}
_first = []  # what first_box() gives


def operational(machine, **how):
    """Starts it and waits until it is operational; its report."""
    machine.start(**how)
    report = report_of(machine, USER_SPACE_S)
    ensure(report.state == "operational", f"it is {report}")
    return report


def ask_for_table(machine, report, port=443):
    """The answer; 201 where the administrator is served."""
    table = {"tableName": "notes", "schema": {"text": {"type": "string"}}}
    return ask(machine, report, "POST", "/v1/admin/tables", table, report.values["secretKey"], port=port)


def make_row(machine, report):
    """Its id; in a table that is made for it."""
    made = ask_for_table(machine, report)
    ensure(made.status == 201, f"no table: {made.status} {made.body}")
    return add_row(machine, report)


def add_row(machine, report):
    row = ask(machine, report, "POST", "/v1/data/notes", ROW, report.values["secretKey"])
    ensure(row.status == 201, f"no row: {row.status} {row.body}")
    return row.body["id"]


def ensure_row(machine, report, first):
    _, before, row = first
    got = ask(machine, report, "GET", f"/v1/data/notes/{row}", key=before.values["secretKey"])
    ensure(got.status == 200 and got.body["text"] == ROW["text"], f"the row: {got.status} {got.body}")


def _make_first(lab, folder):
    """Its disk, variables and TPM, and in a file what it said and the id of its row."""
    machine = lab.box_in(folder / "box")
    machine.make(lab.keys)
    try:
        report = operational(machine)
        ensure({"recoveryKey", "secretKey", "setupCode"} <= set(report.values), f"values: {sorted(report.values)}")
        row = make_row(machine, report)
        machine.cut()
    finally:
        machine.stop()
    (folder / "report").write_text(json.dumps([report.text, row]))


def first_box(lab):
    """(machine, which is off, report, the id of its row): a box that has provisioned itself in this run. Tests take copies."""
    if not _first:
        folder = lab.shared("first", lambda folder: _make_first(lab, folder))
        text, row = json.loads((folder / "report").read_text())
        _first.append((lab.box_in(folder / "box"), Report(text), row))
    return _first[0]


def locked(machine, reason):
    machine.start()
    report = report_of(machine, USER_SPACE_S)
    ensure((report.state, report.reason) == ("locked", reason), f"it is {report}")
    ensure(not {"recoveryKey", "secretKey"} & set(report.values), "it tells keys")
    return report


def unlocked(machine, report, first):
    """By the recovery key."""
    refused = ask(machine, report, "GET", f"/v1/data/notes/{first[2]}", key=first[1].values["secretKey"], verify=False)
    ensure(refused.status == 503, f"a locked box answers {refused.status}")
    done = ask(machine, report, "POST", "/v1/system/unlock", {"recoveryKey": first[1].values["recoveryKey"]}, verify=False)
    ensure(done.status == 200, f"unlock: {done.status} {done.body}")
    machine.expect(r'"event":"worker_ready","state":"operational"', DIRECT_S)
    ensure_row(machine, report, first)


def unlocked_and_sealed_again(machine, report, first):
    """By the recovery key; a start later it opens by itself."""
    unlocked(machine, report, first)
    machine.cut()
    ensure_row(machine, operational(machine), first)
    machine.cut()


# --- a newer image ---------------------------------------------------------------------------------------------------------

NEXT = "0.9.1"


def next_image(lab):
    """Version NEXT, of security version 2."""
    config = lab.place("config.h")
    text, changed = re.subn(r"(#define CONFIG_FIRMWARE_SECURITY_VERSION) \d+", r"\1 2", Path(lab.given["CONFIG_H"]).read_text())
    ensure(changed == 1, "no security version in the configuration")
    config.write_text(text)
    return lab.build("next", VERSION=NEXT, CONFIG_H=str(config))


# --- an owner -------------------------------------------------------------------------------------------------------------

EMAIL, PASSWORD = "owner@example.com", "Correct-horse-battery-7"
PIECE = 1 << 20


class Owner:
    """Signed in at a box that runs, over one connection."""

    def __init__(self, machine, report):
        """A box that has no owner yet says the code for the first one in its report."""
        self.connection = self.token = None
        self.reconnect(machine, report)
        named = {"email": EMAIL, "password": PASSWORD}
        if "setupCode" in report.values:
            status, body = self.ask("POST", "/v1/admin/auth/setup", {"setupCode": report.values["setupCode"], "name": "Owner", **named})
            ensure(status in (200, 201), f"setup: {status} {body}")
        status, body = self.ask("POST", "/v1/admin/auth/signin", named)
        ensure(status == 200, f"sign-in: {status} {body}")
        self.token = body["accessToken"]

    def reconnect(self, machine, report):
        """After a start of the box, and still signed in."""
        self.close()
        self.connection = connected(machine, ssl.create_default_context(cadata=report.ca))

    def ask(self, method, path, body=None):
        """(status, body). A body of bytes is sent as it is."""
        raw = isinstance(body, bytes)
        headers = {"Content-Type": "application/octet-stream" if raw else "application/json"}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        self.connection.request(method, path, body if raw or body is None else json.dumps(body), headers)
        response = self.connection.getresponse()
        return response.status, json.loads(response.read() or b"null")

    def begin(self):
        status, body = self.ask("POST", "/v1/admin/updates", {})
        ensure(status == 200, f"no update is begun: {status} {body}")

    def piece(self, file, at):
        return self.ask("POST", f"/v1/admin/updates/bytes?offset={at}", file[at:at + PIECE])

    def send(self, file):
        self.begin()
        for at in range(0, len(file), PIECE):
            status, body = self.piece(file, at)
            ensure(status == 200, f"at {at}: {status} {body}")

    def install(self):
        """The answer may not come any more: the box ends."""
        try:
            status, body = self.ask("POST", "/v1/admin/updates/install", {})
        except (ConnectionError, http.client.HTTPException, ssl.SSLError):
            return
        ensure(status == 200, f"not installed: {status} {body}")

    def close(self):
        if self.connection is not None:
            self.connection.close()
