# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests that two readers could understand in two ways, sent over real TLS to the real daemon: each is refused, and
the connection with it. Held against h11, an independent strict parser: whatever h11 refuses, we refuse."""

import h11
import pytest
from wire import Wire, first_answer

GOOD = {
    "plain": b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "empty_value": b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Empty:\r\n\r\n",
    "padded_value": b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-A: \t b \t \r\n\r\n",
    "query": b"GET /healthz?a=%20&b HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "zero_length": b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n",
    "trailing_slash": b"GET /healthz/ HTTP/1.1\r\nHost: localhost\r\n\r\n",
}

BAD = {
    "both_lengths": b"POST /v1/x HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "two_different_lengths": b"POST /v1/x HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
    "length_list": b"POST /v1/x HTTP/1.1\r\nHost: a\r\nContent-Length: 5, 6\r\n\r\nhello!",
    "negative_length": b"POST /v1/x HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
    "signed_length": b"POST /v1/x HTTP/1.1\r\nHost: a\r\nContent-Length: +5\r\n\r\nhello",
    "hex_length": b"POST /v1/x HTTP/1.1\r\nHost: a\r\nContent-Length: 0x5\r\n\r\nhello",
    "huge_length": b"POST /v1/x HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999999\r\n\r\n",
    "empty_length": b"POST /v1/x HTTP/1.1\r\nHost: a\r\nContent-Length:\r\n\r\n",
    "bad_chunk_size": b"POST /v1/x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nhello\r\n0\r\n\r\n",
    "negative_chunk": b"POST /v1/x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\nhello\r\n0\r\n\r\n",
    "huge_chunk": b"POST /v1/x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\nhello\r\n",
    "chunk_without_crlf": b"POST /v1/x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhelloXX0\r\n\r\n",
    "other_coding": b"POST /v1/x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "coding_twice": b"POST /v1/x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "disguised_coding": b"POST /v1/x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "bare_lf": b"GET /healthz HTTP/1.1\nHost: a\n\n",
    "bare_lf_in_header": b"GET /healthz HTTP/1.1\r\nHost: a\nX-A: b\r\n\r\n",
    "bare_cr_in_header": b"GET /healthz HTTP/1.1\r\nHost: a\r\nX-A: b\rc\r\n\r\n",
    "obs_fold": b"GET /healthz HTTP/1.1\r\nHost: a\r\nX-A: b\r\n c\r\n\r\n",
    "fold_first": b"GET /healthz HTTP/1.1\r\n Host: a\r\n\r\n",
    "two_hosts": b"GET /healthz HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    "no_host": b"GET /healthz HTTP/1.1\r\nX-A: b\r\n\r\n",
    "space_before_colon": b"GET /healthz HTTP/1.1\r\nHost : a\r\n\r\n",
    "name_not_a_token": b"GET /healthz HTTP/1.1\r\nHost: a\r\nX(A): b\r\n\r\n",
    "empty_name": b"GET /healthz HTTP/1.1\r\nHost: a\r\n: b\r\n\r\n",
    "no_colon": b"GET /healthz HTTP/1.1\r\nHost: a\r\nX-A\r\n\r\n",
    "nul_in_value": b"GET /healthz HTTP/1.1\r\nHost: a\r\nX-A: b\0c\r\n\r\n",
    "nul_in_path": b"GET /health\0z HTTP/1.1\r\nHost: a\r\n\r\n",
    "space_in_path": b"GET /health z HTTP/1.1\r\nHost: a\r\n\r\n",
    "two_spaces": b"GET  /healthz HTTP/1.1\r\nHost: a\r\n\r\n",
    "version_2": b"GET /healthz HTTP/2.0\r\nHost: a\r\n\r\n",
    "version_lower_case": b"GET /healthz http/1.1\r\nHost: a\r\n\r\n",
    "no_version": b"GET /healthz\r\n\r\n",
    "no_slash": b"GET healthz HTTP/1.1\r\nHost: a\r\n\r\n",
    "method_not_a_token": b"G(T /healthz HTTP/1.1\r\nHost: a\r\n\r\n",
    "preface_of_http2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
}

# h11 lets these pass; RFC 9112 lets a server choose, and we choose the strict way.
STRICTER_THAN_H11 = {
    "both_lengths", "huge_length", "huge_chunk", "bare_lf", "bare_lf_in_header", "obs_fold", "no_slash", "version_2",
    "preface_of_http2",
}


def h11_refuses(data):
    peer = h11.Connection(h11.SERVER)
    peer.receive_data(data)
    try:
        while True:
            event = peer.next_event()
            if event in (h11.NEED_DATA, h11.PAUSED) or isinstance(event, (h11.EndOfMessage, h11.ConnectionClosed)):
                return False
    except h11.RemoteProtocolError:
        return True


@pytest.mark.parametrize("name", BAD)
def test_attack_12_an_ambiguous_request_is_refused_and_its_connection_closed(box, name):
    status, closed = first_answer(box, BAD[name])

    assert status in (400, 413)
    assert closed


@pytest.mark.parametrize("name", GOOD)
def test_a_clear_request_is_answered_and_its_connection_kept(box, name):
    status, closed = first_answer(box, GOOD[name])

    assert status == 200
    assert not closed


@pytest.mark.parametrize("name", [name for name in BAD if name not in STRICTER_THAN_H11])
def test_the_independent_parser_refuses_the_same_requests(name):
    assert h11_refuses(BAD[name])


@pytest.mark.parametrize("name", GOOD)
def test_the_independent_parser_takes_the_same_requests(name):
    assert not h11_refuses(GOOD[name])


def test_attack_12_a_smuggled_second_request_is_never_answered(box):
    smuggled = (b"POST /v1/x HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n"
                b"0\r\n\r\nGET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")

    with Wire(box) as wire:
        wire.send(smuggled)
        first = wire.answer()
        assert first is not None and first[0] == 400
        assert wire.answer() is None


def test_pipelined_requests_are_answered_in_order(box):
    with Wire(box) as wire:
        wire.send(GOOD["plain"] * 40 + b"GET /nothing HTTP/1.1\r\nHost: a\r\n\r\n")

        statuses = [wire.answer()[0] for _ in range(41)]

    assert statuses == [200] * 40 + [404]


def test_a_request_in_single_bytes_is_understood(box):
    with Wire(box) as wire:
        for byte in GOOD["plain"]:
            wire.send(bytes([byte]))
        assert wire.answer()[0] == 200


@pytest.mark.parametrize("name,size,status", [("under", 16 * 1024, 404), ("over", 33 * 1024, 413)])
def test_attack_13_the_head_has_a_limit(box, name, size, status):
    request = b"GET /" + b"a" * size + b" HTTP/1.1\r\nHost: localhost\r\n\r\n"

    assert first_answer(box, request)[0] == status


def test_attack_13_a_body_over_the_limit_is_refused_before_it_is_sent(box):
    request = b"POST /v1/data/x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1048577\r\n\r\n"

    status, closed = first_answer(box, request)

    assert status == 413
    assert closed


def test_attack_12_plain_http_answers_only_a_redirect(box):
    import http.client
    peer = http.client.HTTPConnection(box.host, box.http_port, timeout=30)

    for method, path in (("GET", "/v1/data/x?y=1"), ("POST", "/v1/admin/tables")):
        peer.request(method, path, headers={"Host": f"localhost:{box.http_port}", "X-API-Key": "pk_secret"})
        answer = peer.getresponse()
        body = answer.read()
        assert answer.status == 308
        assert answer.getheader("Location") == f"https://localhost{box.https_port}{path}"
        assert b"pk_secret" not in body
