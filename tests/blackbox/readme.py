# SPDX-License-Identifier: GPL-3.0-or-later
"""Chapters of README.md, pasted into a shell as a reader does, after `make run`."""

import os
import re
import shlex
import subprocess

from conftest import ROOT

SHOWN = re.compile(r"^#=> (.*)$", re.M)


def chapter(heading):
    """The text from this heading to the next one of its depth or above."""
    text = (ROOT / "README.md").read_text()
    begin = text.index(f"\n{heading}\n") + 1
    depth = len(heading) - len(heading.lstrip("#"))
    end = re.compile(rf"^#{{1,{depth}}} |\Z", re.M).search(text, begin + len(heading)).start()
    return text[begin:end]


def blocks_of(heading):
    """The shell blocks of a chapter."""
    return re.findall(r"^```sh\n(.*?)^```$", chapter(heading), re.M | re.S)


def paste(box, blocks, folder, **more):
    """What each block prints, all of them in one shell: the first, in which a reader fills in what was printed, is ours.
    more: what was printed besides."""
    printed = dict(more, URL=box.browser_url, CA=str(box.ca), PK=box.pk, SK=box.sk)
    lines = [f"{name}={shlex.quote(value)}" for name, value in printed.items()]
    script = "\n".join(lines) + "\n" + "".join(f"echo; echo '@@@ {at}'\n{block}" for at, block in enumerate(blocks[1:], 1))
    (folder / ".curlrc").write_text("silent\nshow-error\n")  # as at a terminal, where curl shows no progress beside what it prints
    done = subprocess.run(["bash", "-u", "-c", script], capture_output=True, text=True, timeout=60, check=False, cwd=folder,
                          env=dict(os.environ, CURL_HOME=str(folder)))
    assert done.returncode == 0 and done.stderr == "", done.stderr
    return dict(enumerate(re.split(r"^@@@ \d+$", done.stdout, flags=re.M)))


def names_in(block):
    return re.findall(r"\b([A-Z]+)=", block)


def assert_shows(output, block):
    shown, rest = SHOWN.findall(block), output

    assert shown
    for part in shown:
        assert part in rest, output
        rest = rest.split(part, 1)[1]
