"""Where users' phones are: kept and found whatever bytes a phone, or a stranger, sends."""

import time

import pytest

from twoleg.calls.bindings import StoredBindings
from twoleg.sip import Binding, RegistrarResult, ResponseSpec

HA1S = {"MD5": "0" * 32}
BYTES_OF_LATIN_1 = "T\udce9l\udce9phone"
"""As a message has it that is no UTF-8."""


@pytest.fixture
async def bindings(office, database):
    await office.add_user("alice", sip_ha1=HA1S)
    bindings = StoredBindings(database, lambda host, until: None)
    bindings.engine_id = await office.join()
    return bindings


async def test_a_user_is_known_whatever_the_case_of_the_name(bindings):
    assert await bindings.ha1s("Alice") == HA1S


@pytest.mark.parametrize("name", ["bob", "", "\udcff", "ali\0ce", "x" * 5000])
async def test_a_name_that_nobody_has_is_unknown_and_no_error(bindings, name):
    assert await bindings.ha1s(name) == {}


async def test_a_phone_is_bound_although_it_writes_what_is_no_utf_8(bindings, office):
    phone = Binding(
        contact="sip:alice@192.0.2.7",
        call_id=BYTES_OF_LATIN_1,
        cseq=1,
        expires_at=time.time() + 60,
        path=(f'"{BYTES_OF_LATIN_1}" <sip:proxy.example.test;lr>',),
        user_agent=BYTES_OF_LATIN_1,
    )
    done = RegistrarResult((phone,), ResponseSpec(200), changed=True)
    assert await bindings.update("alice", lambda before: done) == done
    stored = await office.row("SELECT contact_uri, user_agent FROM bindings")
    assert stored == (phone.contact, "T\ufffdl\ufffdphone")
