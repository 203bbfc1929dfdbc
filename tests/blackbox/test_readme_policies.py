# SPDX-License-Identifier: GPL-3.0-or-later
"""The policy chapter of README.md, pasted into a shell as a reader does, after `make run`; under both presets."""

import pytest
import readme
from app import App
from conftest import Box

BLOCKS = readme.blocks_of("## Policies: who may see and do what")
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
    return readme.paste(reader.box, BLOCKS, tmp_path_factory.mktemp("readme"))


def test_the_first_block_names_what_make_run_prints():
    assert readme.names_in(BLOCKS[0]) == ["URL", "CA", "PK", "SK"]


@pytest.mark.parametrize("at", range(1, len(BLOCKS)))
def test_each_block_answers_what_it_shows(outputs, at):
    readme.assert_shows(outputs[at], BLOCKS[at])


@pytest.mark.parametrize("name", PATTERNS)
def test_each_pattern_is_a_table_with_tests_that_hold(reader, outputs, name):
    assert outputs
    tables = {table["tableName"]: table for table in reader.sk.get("/v1/admin/tables?limit=100").json["items"]}

    made = reader.sk.get(f"/v1/admin/tables/{tables[name]['id']}").json

    assert len(made["tests"]) >= 3
