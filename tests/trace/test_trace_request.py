"""Targets and inputs as the command line writes them."""

from __future__ import annotations

import pytest

from qprep.foundation.errors import QprepError
from qprep.tracing.request import InputSpec, Request, make_request, parse_input, split_target


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1,3,224,224", InputSpec(None, (1, 3, 224, 224))),
        ("2,16:int64", InputSpec(None, (2, 16), "int64")),
        ("mask=2,16:bool", InputSpec("mask", (2, 16), "bool")),
        (":float64", InputSpec(None, (), "float64")),
        ("t=:int64", InputSpec("t", (), "int64")),
        ("7", InputSpec(None, (7,))),
        ("0,4", InputSpec(None, (0, 4))),
    ],
)
def test_inputs(text: str, expected: InputSpec) -> None:
    assert parse_input(text) == expected


@pytest.mark.parametrize("text", ["", "1,", "1x3", "-1,3", "mask=", "1 3", "m-k=1", "1,3:", "٣"])
def test_malformed_inputs(text: str) -> None:
    with pytest.raises(QprepError, match="expected an input as"):
        parse_input(text)


def test_unknown_dtype() -> None:
    with pytest.raises(QprepError, match="found 'float12'"):
        parse_input("1:float12")


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("package.module:factory", ("package.module", "factory")),
        ("path/to file.py:Model.tiny", ("path/to file.py", "Model.tiny")),
        ("C:\\models\\net.py:net", ("C:\\models\\net.py", "net")),
    ],
)
def test_targets(target: str, expected: tuple[str, str]) -> None:
    assert split_target(target) == expected


@pytest.mark.parametrize("target", ["", "module", ":factory", "module:", "module:fac tory", "module:a..b"])
def test_malformed_targets(target: str) -> None:
    with pytest.raises(QprepError, match="expected a target as"):
        make_request(target)
    with pytest.raises(QprepError, match="expected a target as"):
        make_request("module:factory", maker=target)


def test_time_limit() -> None:
    with pytest.raises(QprepError, match="above 0 seconds, found -1"):
        make_request("m:f", timeout=-1)


def test_round_trip() -> None:
    request = make_request("m:f", ["1,2", "mask=3:bool"], device="meta", train=True, timeout=5)
    assert Request.from_json(request.to_json()) == request
