# SPDX-License-Identifier: GPL-3.0-or-later
"""The policy chapter of README.md, pasted into a shell as a reader does, after `make run`; under both presets."""

import re
import shlex
import subprocess

import pytest
from app import App
from conftest import ROOT, Box

CHAPTER = re.search(r"^## Policies.*?(?=^## )", (ROOT / "README.md").read_text(), re.M | re.S)[0]
BLOCKS = re.findall(r"^```sh\n(.*?)^```$", CHAPTER, re.M | re.S)
SHOWN = re.compile(r"^#=> (.*)$", re.M)
PATTERNS = ("board", "diary", "announcements", "orders", "profiles")


@pytest.fixture(scope="module", params=["compat", "hardened"])
def reader(request, tmp_path_factory):
    """The project of a new box, as a reader of the chapter has it."""
    box = Box(tmp_path_factory.mktemp("reader"))
    box.start()
    app = App(box)
    app.settings(securityPreset=request.param)
    yield app
    assert box.stop() == 0, box.log_text()


@pytest.fixture(scope="module")
def outputs(reader, tmp_path_factory):
    """What each block prints, all of them in one shell: the first, in which a reader fills in what was printed, is ours."""
    box = reader.box
    lines = [f"{name}={shlex.quote(value)}" for name, value in (("URL", box.url), ("CA", str(box.ca)), ("PK", box.pk), ("SK", box.sk))]
    script = "\n".join(lines) + "\n" + "".join(f"echo; echo '@@@ {at}'\n{block}" for at, block in enumerate(BLOCKS[1:], 1))
    done = subprocess.run(["bash", "-u", "-c", script], capture_output=True, text=True, timeout=60, check=False,
                          cwd=tmp_path_factory.mktemp("readme"))
    assert done.returncode == 0 and done.stderr == "", done.stderr
    return dict(enumerate(re.split(r"^@@@ \d+$", done.stdout, flags=re.M)))


def test_the_first_block_names_what_make_run_prints():
    assert re.findall(r"\b([A-Z]+)=", BLOCKS[0]) == ["URL", "CA", "PK", "SK"]


@pytest.mark.parametrize("at", range(1, len(BLOCKS)))
def test_each_block_answers_what_it_shows(outputs, at):
    shown = SHOWN.findall(BLOCKS[at])
    rest = outputs[at]

    assert shown
    for part in shown:
        assert part in rest, outputs[at]
        rest = rest.split(part, 1)[1]


@pytest.mark.parametrize("name", PATTERNS)
def test_each_pattern_is_a_table_with_tests_that_hold(reader, outputs, name):
    assert outputs
    tables = {table["tableName"]: table for table in reader.sk.get("/v1/admin/tables?limit=100").json["items"]}

    made = reader.sk.get(f"/v1/admin/tables/{tables[name]['id']}").json

    assert len(made["tests"]) >= 3
