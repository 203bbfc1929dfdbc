# SPDX-License-Identifier: GPL-3.0-or-later
"""TLS as clients that are not ours see it: Chromium, OpenSSL and testssl.sh, all trusting the box's own CA file."""

import json
import os
import re
import socket
import ssl
import subprocess
from pathlib import Path

import chromium
import pytest

TESTSSL = os.environ.get("TESTSSL", "testssl")
# What testssl says of its own machine and of every certificate of a private CA; none is about what the box offers.
NOT_OURS = {
    "engine_problem",  # its openssl has no GOST engine
    "cert_revocation",  # no OCSP or CRL address: a box without internet has none; leaves live 90 days and renew themselves
    "OCSP_stapling",
    "DNS_CAArecord",
    "cert_trust",
}
# Its client ends with the handshake, before the ticket of TLS 1.3 that comes behind it may have been read: on a loaded
# machine it then finds no session to go on with. That sessions are resumed is a test of its own.
RACE = ("sessionresumption_ticket", "check failed because of connect problem")


def test_attack_14_chromium_negotiates_the_post_quantum_hybrid(box, tmp_path):
    assert chromium.installed(), "chromium and certutil come with make deps"

    with chromium.Chromium(tmp_path, box.ca) as browser:
        answer = browser.open(box.browser_url + "/healthz")

    assert answer["status"] == 200
    assert answer["securityDetails"]["protocol"] == "TLS 1.3"
    assert answer["securityDetails"]["keyExchangeGroup"] == "X25519MLKEM768"


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_client_goes_on_with_its_session(box, version):
    context = ssl.create_default_context(cafile=box.ca)
    context.minimum_version = context.maximum_version = version
    session, reused = None, []

    for _ in range(2):
        with socket.create_connection((box.host, box.port)) as plain, \
                context.wrap_socket(plain, server_hostname="localhost", session=session) as tls:
            tls.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert tls.recv(4096).startswith(b"HTTP/1.1 200 ")
            session = tls.session
            reused.append(tls.session_reused)

    assert reused == [False, True]


def test_attack_14_no_ticket_allows_early_data(box):
    """Early data is a request that anybody may send again."""
    done = subprocess.run(
        ["openssl", "s_client", "-connect", f"{box.host}:{box.port}", "-servername", "localhost", "-CAfile", box.ca, "-tls1_3",
         "-ign_eof"],
        input="GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", capture_output=True, text=True, timeout=60,
        check=False)

    assert '{"status":"ok"}' in done.stdout, done.stderr
    allowed = re.findall(r"Max Early Data: (\d+)", done.stdout.split("New Session Ticket arrived", 1)[1])
    assert allowed and set(allowed) == {"0"}


def run_testssl(box, report):
    done = subprocess.run(
        [TESTSSL, "--quiet", "--color", "0", "--warnings", "off", "--overwrite", "--add-ca", box.ca, "--ip", box.host,
         "--jsonfile", str(report), f"localhost:{box.port}"],
        capture_output=True, text=True, timeout=600, stdin=subprocess.DEVNULL)
    return json.loads(report.read_text()), done.stdout


def test_attack_14_testssl_grades_the_box_a_plus_without_a_warning(box, tmp_path):
    findings, output = run_testssl(box, Path(tmp_path) / "report.json")
    if any("check failed" in finding["finding"] for finding in findings):
        # It gives each of its own commands a few seconds; on a loaded machine one may not finish, and says nothing of us.
        findings, output = run_testssl(box, Path(tmp_path) / "again.json")

    grade = [finding["finding"] for finding in findings if finding["id"] == "overall_grade"]
    bad = [finding for finding in findings
           if finding["severity"] in ("LOW", "MEDIUM", "HIGH", "CRITICAL", "WARN", "FATAL")
           and finding["id"].split(" ")[0] not in NOT_OURS and (finding["id"], finding["finding"]) != RACE]
    assert grade == ["A+"], output[-3000:]
    assert bad == []
