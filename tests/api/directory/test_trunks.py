"""Trunks: how they are reached, and what is never shown of them."""

from api.directory.bodies import TRUNK, errors_of


async def test_the_password_can_be_written_and_never_read(client, make, execute):
    made = await make(
        "trunks", **TRUNK, username="acc", password="secret-words", register=True, port="5080"
    )
    assert made["register"] is True
    assert made["port"] == 5080
    where = f"/api/v1/trunks/{made['id']}"
    for reply in (
        await client.get(where),
        await client.patch(where, json={"name": "N"}),
        await client.get("/api/v1/trunks"),
    ):
        assert "password" not in reply.text
        assert "secret-words" not in reply.text
    [(kept,)] = await execute("SELECT password FROM trunks WHERE id = %s", made["id"])
    assert kept == "secret-words"


async def test_every_field_comes_back_as_it_was_given(account, make):
    fields = {
        "name": "PBX",
        "host": "192.0.2.7",
        "port": 5061,
        "transport": "tls",
        "from_domain": "example.com",
        "max_calls": 10,
        "calls_per_second": 2,
        "caller_id_mode": "p_asserted_identity",
        "privacy": "id",
        "number_format": "national",
        "dial_prefix": "9",
        "codecs": ["G722", "PCMA"],
        "priority": 2,
        "weight": 5,
    }
    assert fields.items() <= (await make("trunks", **fields)).items()


async def test_audio_is_encrypted_only_where_sip_hides_the_keys(account, client, make):
    made = await make(
        "trunks", name="T", host="sip.example.com", transport="tls", media_encryption="sdes"
    )
    assert made["media_encryption"] == "sdes"
    reply = await client.patch(f"/api/v1/trunks/{made['id']}", json={"transport": "tcp"})
    [text] = errors_of(reply)["media_encryption"]
    assert text.endswith("Set transport to tls too.")
    both = {"transport": "tcp", "media_encryption": "none"}
    reply = await client.patch(f"/api/v1/trunks/{made['id']}", json=both)
    assert both.items() <= reply.json().items()


async def test_the_transport_and_the_host_are_read_whatever_their_case(account, make):
    made = await make("trunks", name="T", host="SIP.Example.com", transport="UDP")
    assert (made["host"], made["transport"]) == ("sip.example.com", "udp")


async def test_a_change_of_how_it_is_reached_makes_its_state_unknown(account, client, execute):
    await execute("UPDATE trunks SET state = 'registered'")
    await client.patch("/api/v1/trunks/1", json={"name": "N"})
    assert (await client.get("/api/v1/trunks/1")).json()["state"] == "registered"
    await client.patch("/api/v1/trunks/1", json={"host": "192.0.2.9"})
    assert (await client.get("/api/v1/trunks/1")).json()["state"] == "unknown"


async def test_values_that_cannot_be_are_refused_by_name(account, client):
    for fields, field in (
        ({"host": "sip:example.com"}, "host"),
        ({"host": "example.com:5060"}, "host"),
        ({"host": "a..b"}, "host"),
        ({"host": ""}, "host"),
        ({"port": 0}, "port"),
        ({"port": 70000}, "port"),
        ({"port": 5060.5}, "port"),
        ({"transport": "sctp"}, "transport"),
        ({"transport": 5}, "transport"),
        ({"register": True}, "username"),
        ({"register": True, "username": "a"}, "password"),
        ({"password": "a"}, "username"),
        ({"caller_id_mode": "x"}, "caller_id_mode"),
        ({"number_format": "x"}, "number_format"),
        ({"privacy": "full"}, "privacy"),
        ({"dial_prefix": "9,"}, "dial_prefix"),
        ({"dial_prefix": "1" * 16}, "dial_prefix"),
        ({"codecs": []}, "codecs"),
        ({"codecs": ["OPUS"]}, "codecs.0"),
        ({"codecs": ["PCMU", "PCMU"]}, "codecs"),
        ({"weight": -1}, "weight"),
        ({"media_encryption": "zrtp"}, "media_encryption"),
        ({"media_encryption": "sdes"}, "media_encryption"),
        ({"state": "registered"}, "state"),
    ):
        for reply in (
            await client.post("/api/v1/trunks", json=TRUNK | fields),
            await client.patch("/api/v1/trunks/1", json=fields),
        ):
            assert list(errors_of(reply)) == [field], fields
