# SPDX-License-Identifier: GPL-3.0-or-later
"""What README.md owes its reader whatever else is in it: the two commands, which work when pasted, the two pictures, what
it does not protect against, what a thief sees, and a map of the tree. Its longer chapters have tests of their own."""

import os
import pathlib
import re

import pytest
import readme
from conftest import ROOT

TEXT = (ROOT / "README.md").read_text()
THIEF_SEES = ("sizes, counts, creation times inside row ids, the order of index entries (so, for a column with few distinct "
              "values, a guess at them), never a value")
MAKE, TRY, SETUP = readme.blocks_of("## Two commands")[:3]


def pictures_of(heading):
    return re.findall(r"^```mermaid\n(.*?)^```$", readme.chapter(heading), re.M | re.S)


def in_order(parts, text):
    at = [text.find(part) for part in parts]
    return -1 not in at and at == sorted(at)


def test_the_first_line_says_what_it_is():
    assert TEXT.splitlines()[0] == "# Rowlock: a TPM-sealed backend in a locked box"


def test_two_commands_come_first_and_are_all_it_takes():
    assert TEXT.index("\n## ") == TEXT.index("\n## Two commands\n")
    assert re.findall(r"^make (\w+) ", MAKE, re.M) == ["run", "check"]
    assert len(MAKE.splitlines()) == 2


@pytest.mark.appliance
def test_the_lines_to_paste_make_a_table_insert_a_row_list_it_and_make_the_first_operator(make_box, tmp_path):
    box = make_box()
    setup = SETUP.replace('"..."', '"Long-passw0rd"')

    shown = readme.paste(box, [MAKE, TRY, setup], tmp_path, SETUP=box.report["setupCode"])

    assert TRY.count("curl ") == 3
    assert in_order(['"tableName":"notes"', '"warnings":["unconfigured: ', '"text":"hello"', '"total":1'], shown[1]), shown[1]
    assert in_order(['"email":"you@example.com"', '"role":"owner"'], shown[2]), shown[2]


def test_one_picture_shows_the_processes_and_one_the_way_of_a_request():
    processes, way = pictures_of("## The processes"), pictures_of("## A request's way")

    assert len(processes) == len(way) == 1 and TEXT.count("```mermaid") == 2
    for name in ("supervisor", "keeper", "worker", "courier"):
        assert re.search(rf"\b{name}\b", processes[0]) and (ROOT / "firmware" / name).is_dir()
    assert "TPM 2.0" in processes[0] and "LMDB" in processes[0]
    stations = ["net/tls", "net/http", "firmware/api", "firmware/auth", "firmware/data"]
    assert in_order(stations, way[0]) and "firmware/rls" in way[0] and "fsync" in way[0]
    for named in re.findall(r"\b[a-z]+/[a-z]+\b", way[0].replace("<br/>", " ")):
        assert (ROOT / named).is_dir() or (ROOT / f"{named}.c").is_file(), named


def test_a_thief_sees_what_the_architecture_says():
    assert THIEF_SEES in readme.chapter("## What it protects, and from whom")


def test_what_it_does_not_protect_against_is_numbered():
    limits = re.findall(r"^(\d+)\. \*\*(.*?)(?=\n\d+\. |\Z)", readme.chapter("### What it does not protect against").rstrip(),
                        re.M | re.S)

    assert [int(number) for number, _ in limits] == list(range(1, len(limits) + 1))
    titles = [said.split("**", 1)[0].replace("\n", " ") for _, said in limits]
    for part in ("Root on the running box", "software TPM's state", "taken-over worker, afterwards", "rollback of the whole disk",
                 "live clone", "memory that may be swapped", "Sizes and timing", "lies about fsync", "lost recovery key"):
        assert sum(part in title for title in titles) == 1, (part, titles)


@pytest.fixture(scope="module")
def tree():
    """The rows of the map: folder and what is in it."""
    return dict(re.findall(r"^\| `(\w+)/` \| (.*) \|$", readme.chapter("## The tree"), re.M))


def test_every_folder_at_the_top_is_in_the_map_and_every_one_of_the_map_is_there(tree):
    built = pathlib.Path(os.environ.get("ROWLOCK_BUILD", ROOT / "build"))
    outputs = {"build"} | {parent.name for parent in (built, *built.parents) if parent.parent == ROOT}

    assert set(tree) == {path.name for path in ROOT.iterdir() if path.is_dir() and path.name[0] not in "._"} - outputs


def test_the_folders_and_boards_that_the_map_names_are_there(tree):
    assert set(re.findall(r"\(`(\w+)`\)", tree["firmware"])) == {"rls", "mail", "audit", "auth", "data", "api", "cli"}
    for folder, what in tree.items():
        for named in re.findall(r"\(`(\w+)`\)|`(\w+)/`", what):
            assert (ROOT / folder / "".join(named)).is_dir(), (folder, named)
    boards = re.search(r"the boards \((.*?)\)", tree["board"]).group(1)
    assert set(re.findall(r"`([\w-]+)`", boards)) == {path.parent.name for path in ROOT.glob("board/*/defconfig")}
