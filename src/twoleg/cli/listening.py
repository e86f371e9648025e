"""An address that a part was told to listen on, but cannot."""

from __future__ import annotations

import errno

_MENDS = {
    errno.EADDRINUSE: "another process uses it: stop that one, or set {setting} to another",
    errno.EADDRNOTAVAIL: "it is no address of this machine: set {setting} to one that is",
    errno.EACCES: "this user may not listen there: set {setting} to a port above 1023",
}


class AddressUnusable(Exception):
    """`setting` names an `address` that cannot be listened on; the message says what to do."""

    def __init__(self, setting: str, address: str, error: BaseException | None) -> None:
        number = error.errno if isinstance(error, OSError) else None
        mend = _MENDS.get(number or 0, "{error}: set {setting} to another")
        option = f"--{setting.replace('_', '-')} (TWOLEG_{setting.upper()})"
        super().__init__(
            f"{setting}: {address} cannot be listened on: "
            + mend.format(setting=option, error=error)
        )
        self.setting = setting
        self.address = address
