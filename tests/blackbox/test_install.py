# SPDX-License-Identifier: GPL-3.0-or-later
"""What `make install` installs, and that it starts from there without the tree, as an ordinary user."""

import json
import os
import shlex
import ssl
import subprocess

from conftest import ROOT, WAIT_S, Connection

OTHER_USER = 65533  # neither root nor who the box becomes
INSTALL = os.environ.get("ROWLOCK_INSTALL", "make install")  # with the words of the build that is there: nothing is built


def test_what_is_installed_starts_without_the_tree_as_an_ordinary_user(directory):
    subprocess.run([*shlex.split(INSTALL), f"DESTDIR={directory}/to", "PREFIX=/usr"], cwd=ROOT, timeout=600, check=True)

    installed = {str(path.relative_to(directory / "to")): path.stat().st_mode & 0o777
                 for path in (directory / "to").rglob("*") if not path.is_dir()}
    assert installed == {"usr/bin/rowlock": 0o755, "usr/bin/rowlock-host": 0o755,
                         "usr/share/doc/rowlock/LICENSE": 0o644, "usr/share/doc/rowlock/README.md": 0o644}
    programs = directory / "to/usr/bin"
    version = subprocess.run([programs / "rowlock", "version"], capture_output=True, text=True, timeout=WAIT_S, check=True)
    assert version.stdout.startswith("rowlock ")

    home = directory / "home"
    home.mkdir()
    user = []
    if os.geteuid() == 0:
        os.chown(home, OTHER_USER, OTHER_USER)
        user = ["setpriv", f"--reuid={OTHER_USER}", f"--regid={OTHER_USER}", "--clear-groups"]
    with open(directory / "log", "wb") as log, subprocess.Popen(
            [*user, programs / "rowlock-host", "--port", "0", "--json"], stdout=subprocess.PIPE, stderr=log, cwd="/",
            env={"HOME": str(home), "PATH": os.environ["PATH"]}) as box:
        try:
            report = json.loads(box.stdout.readline())
            assert report["caFile"] == str(home / ".local/share/rowlock/data/ca.pem")
            connection = Connection("localhost", int(report["url"].rsplit(":", 1)[1]), timeout=WAIT_S,
                                    context=ssl.create_default_context(cafile=report["caFile"]))
            connection.request("GET", "/v1/system/state")
            assert json.loads(connection.getresponse().read())["state"] == "operational"
            connection.close()
        finally:
            box.terminate()
    assert box.returncode == 0
    lines = [json.loads(line) for line in (directory / "log").read_text().splitlines()]
    said = {(line["process"], line["uid"]) for line in lines if line["event"] == "user-not-changed"}
    assert said == {(process, os.geteuid() or OTHER_USER) for process in ("supervisor", "keeper", "worker")}
