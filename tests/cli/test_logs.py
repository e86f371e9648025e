"""What the log tells of a mishap, and what it must not."""

import json
import logging

import pytest
import structlog

from twoleg.cli.logs import configure_logs
from twoleg.settings import LogFormat


@pytest.fixture(autouse=True)
def as_before():
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def log_in(password):
    raise RuntimeError(f"{len(password)} characters")


@pytest.mark.parametrize("log_format", [LogFormat.JSON, LogFormat.CONSOLE])
def test_a_traceback_names_its_lines_and_shows_no_variable(log_format, capsys):
    configure_logs(log_format, "info")
    try:
        log_in("open".upper() + "sesame".upper())
    except RuntimeError:
        logging.getLogger("twoleg.calls").exception("call failed")
    said = capsys.readouterr().err
    assert "call failed" in said
    assert "10 characters" in said
    assert "test_logs.py" in said
    assert "OPENSESAME" not in said


def test_a_line_of_json_holds_the_traceback_as_data(capsys):
    configure_logs(LogFormat.JSON, "info")
    try:
        log_in("sesame")
    except RuntimeError:
        structlog.get_logger("twoleg").exception("call failed")
    line = json.loads(capsys.readouterr().err)
    assert line["exception"][0]["exc_type"] == "RuntimeError"
    assert line["exception"][0]["frames"][-1]["name"] == "log_in"


def test_what_a_line_is_about_stands_on_it_whichever_logger_wrote_it(capsys):
    configure_logs(LogFormat.JSON, "info")
    with structlog.contextvars.bound_contextvars(call_id=81):
        logging.getLogger("twoleg.calls").warning("of the standard library", extra={"leg": 2})
        structlog.get_logger("twoleg").warning("of structlog", leg=2)
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [(line["call_id"], line["leg"]) for line in lines] == [(81, 2), (81, 2)]


def test_what_libraries_add_to_their_records_is_left_out(capsys):
    configure_logs(LogFormat.JSON, "info")
    logging.getLogger("library").warning("failed", extra={"job": {"arguments": "sesame"}})
    line = json.loads(capsys.readouterr().err)
    assert line["event"] == "failed"
    assert "job" not in line
