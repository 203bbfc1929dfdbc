# SPDX-License-Identifier: GPL-3.0-or-later
"""From sign-up to a request, in README.md, pasted into a shell as a reader does, after `make run`; under both presets."""

import pytest
import readme
from app import App

BLOCKS = readme.blocks_of("### From sign-up to a request")


def test_the_first_block_names_what_make_run_prints():
    assert readme.names_in(BLOCKS[0]) == ["URL", "CA", "PK", "SK"]


@pytest.mark.parametrize("preset", ["compat", "hardened"])
def test_an_app_developer_comes_from_sign_up_to_a_request_and_each_block_answers_what_it_shows(make_box, preset, tmp_path):
    app = App(make_box())
    app.settings(securityPreset=preset)

    outputs = readme.paste(app.box, BLOCKS, tmp_path)

    assert len(BLOCKS) == 7
    for at, block in enumerate(BLOCKS[1:], 1):
        readme.assert_shows(outputs[at], block)
