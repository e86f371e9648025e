"""Kamailio as a proxy that stays in the path of calls and of registrations."""

from __future__ import annotations

import contextlib
import re
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from .ports import LOOPBACK, free_port

STOP_SECONDS: Final = 10
ATTEMPTS: Final = 100
ANSWER_SECONDS: Final = 0.2
PAUSE_SECONDS: Final = 0.05

_CONFIG = """\
debug=1
log_stderror=yes
fork=yes
children=1
disable_tcp=yes
auto_aliases=no
dns=off
rev_dns=off
listen=udp:{host}:{port}
mpath="/usr/lib/x86_64-linux-gnu/kamailio/modules/:/usr/lib/aarch64-linux-gnu/kamailio/modules/"
loadmodule "tm.so"
loadmodule "sl.so"
loadmodule "rr.so"
loadmodule "pv.so"
loadmodule "maxfwd.so"
loadmodule "textops.so"
loadmodule "siputils.so"
loadmodule "path.so"
loadmodule "dispatcher.so"
loadmodule "xlog.so"
modparam("path", "use_received", 1)
modparam("dispatcher", "list_file", "{folder}/behind")
modparam("rr", "enable_full_lr", 1)

request_route {{
    if (!mf_process_maxfwd_header("10")) {{ sl_send_reply("483", "Too Many Hops"); exit; }}
    xlog("L_ERR", "request $rm $ci from $sp\n");
    if (is_method("OPTIONS")) {{ sl_send_reply("200", "Up"); exit; }}
    if (is_method("CANCEL")) {{ if (t_check_trans()) t_relay(); exit; }}
    if (has_totag()) {{
        if (loose_route() || is_method("ACK")) {{ t_relay(); exit; }}
        sl_send_reply("404", "Not here"); exit;
    }}
    t_check_trans();
    if (is_method("INVITE")) record_route();
    if (is_present_hf("Route")) loose_route();
    if (is_method("REGISTER")) add_path_received();
    # What has a route is for a phone that registered through here (RFC 3327 5.1).
    # Of several, that which has the first REGISTER of a phone knows its own challenge in the next.
    if (is_method("REGISTER") || !is_present_hf("Route")) ds_select_dst("1", "0");
    t_relay();
}}
"""

_PROBE = """\
OPTIONS sip:{host} SIP/2.0\r
Via: SIP/2.0/UDP {host}:{port};branch=z9hG4bKprobe{number}\r
Max-Forwards: 1\r
From: <sip:probe@{host}>;tag=probe\r
To: <sip:{host}>\r
Call-ID: probe{number}@{host}\r
CSeq: 1 OPTIONS\r
Content-Length: 0\r
\r
"""


def requests_of(folder: Path, method: str) -> list[tuple[str, int]]:
    """Give the Call-ID of each request that came through, and the port that it came from."""
    text = (folder / "log").read_text()
    found = re.findall(rf"request {method} (\S+) from (\d+)", text)
    return [(call_id, int(port)) for call_id, port in found]


@contextlib.contextmanager
def kamailio(folder: Path, *behind: int) -> Iterator[int]:
    """Run Kamailio in front of the ports `behind` until the block is left; give its own port.

    It records its route in calls, and puts itself into the path of phones that register.
    """
    folder.mkdir()
    port = free_port()
    config = folder / "kamailio.cfg"
    config.write_text(_CONFIG.format(host=LOOPBACK, port=port, folder=folder))
    (folder / "behind").write_text("".join([f"1 sip:{LOOPBACK}:{each}\n" for each in behind]))
    with (folder / "log").open("wb") as log, subprocess.Popen(
        ["kamailio", "-f", str(config), "-DD", "-E", "-Y", str(folder), "-m", "32"],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=log,
    ) as process:  # fmt: skip
        try:
            _wait_until_up(port)
            yield port
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(STOP_SECONDS)


def _wait_until_up(port: int) -> None:
    for number in range(ATTEMPTS):
        with (
            contextlib.suppress(ConnectionRefusedError, TimeoutError),
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe,
        ):
            probe.connect((LOOPBACK, port))
            probe.settimeout(ANSWER_SECONDS)
            own = probe.getsockname()[1]
            probe.send(_PROBE.format(host=LOOPBACK, port=own, number=number).encode())
            if probe.recv(4096).startswith(b"SIP/2.0 200 "):
                return
        time.sleep(PAUSE_SECONDS)
    raise AssertionError("Kamailio does not answer")
