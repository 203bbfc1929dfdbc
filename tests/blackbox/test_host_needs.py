# SPDX-License-Identifier: GPL-3.0-or-later
"""A host that lacks what the box needs: it ends at once with status 1 and says why, before it has made or started anything."""

import json
import os
import subprocess

from conftest import WAIT_S

NO_LANDLOCK = """
#include <errno.h>
#include <seccomp.h>
#include <unistd.h>

int main(int count, char **words)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);

    if (count < 2 || seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(landlock_create_ruleset), 0) != 0 ||
        seccomp_load(filter) != 0) {
        return 99;
    }
    execv(words[1], words + 1);
    return 99;
}
"""


def reason_of_refusal(tmp_path, *wrapper):
    """What the last line of the log says."""
    done = subprocess.run([*wrapper, os.environ["ROWLOCK_RELEASE"], "serve", "--data", str(tmp_path / "data"), "--tcti",
                           "swtpm:path=/nonexistent", "--port", "0", "--json"], capture_output=True, text=True,
                          timeout=WAIT_S, check=False)
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    assert (done.returncode, done.stdout) == (1, ""), done.stderr
    assert {line["event"] for line in lines} <= {"limit-lowered", "supervisor_failed"}
    assert not (tmp_path / "data").exists()
    assert (lines[-1]["event"], lines[-1]["level"]) == ("supervisor_failed", "error")
    return lines[-1]["trail"][0]


def test_a_kernel_without_landlock_is_refused_with_the_reason(tmp_path):
    source, wrapper = tmp_path / "wrapper.c", tmp_path / "wrapper"
    source.write_text(NO_LANDLOCK)
    subprocess.run(["cc", "-o", wrapper, source, "-lseccomp"], check=True, timeout=60)

    assert "this kernel has no Landlock" in reason_of_refusal(tmp_path, str(wrapper))


def test_a_user_who_may_lock_too_little_memory_is_told_of_ulimit(tmp_path):
    assert "ulimit -l" in reason_of_refusal(tmp_path, "prlimit", "--memlock=65536:65536")
