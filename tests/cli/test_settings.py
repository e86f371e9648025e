"""Settings: where they come from, and what is said about wrong ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from twoleg.settings import ListenAddress, NodeAddresses, PortRange, Settings

CONFIG = 78


def test_an_option_goes_before_the_environment_and_that_before_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "twoleg.toml").write_text(
        'http = "127.0.0.1:1001"\nsip = "127.0.0.1:1002"\nmax_calls = 7\n'
    )
    monkeypatch.setenv("TWOLEG_HTTP", "127.0.0.1:2001")
    monkeypatch.setenv("TWOLEG_SIP", "127.0.0.1:2002")

    settings = Settings(http="127.0.0.1:3001")  # type: ignore[arg-type]

    assert (settings.http.port, settings.sip.port, settings.max_calls) == (3001, 2002, 7)


def test_an_address_of_ipv6_stands_in_brackets() -> None:
    assert ListenAddress.parse("[::1]:8080") == ListenAddress("::1", 8080)
    assert str(ListenAddress("::1", 8080)) == "[::1]:8080"


@pytest.mark.parametrize("text", ["8080", "localhost", ":8080", "127.0.0.1:", "127.0.0.1:65536"])
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="give HOST:PORT"):
        ListenAddress.parse(text)


@pytest.mark.parametrize("text", ["20000", "20000-", "30000-20000", "80-90", "20000-70000"])
def test_what_is_no_range_of_ports_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="give LOW-HIGH"):
        PortRange.parse(text)


def test_nodes_are_parted_by_commas() -> None:
    nodes = NodeAddresses.parse("10.0.0.7:2223, [2001:db8::7]:2223")
    assert nodes.addresses == (ListenAddress("10.0.0.7", 2223), ListenAddress("2001:db8::7", 2223))
    assert str(nodes) == "10.0.0.7:2223,[2001:db8::7]:2223"


@pytest.mark.parametrize(
    "text",
    ["", "10.0.0.7", "node.internal:2223", "10.0.0.7:0", "10.0.0.7:1,", "10.0.0.7:1,10.0.0.7:1"],
)
def test_what_is_no_list_of_nodes_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="give IP:PORT of each node once"):
        NodeAddresses.parse(text)


def test_a_wrong_value_is_named_with_what_is_expected(twoleg) -> None:
    ended = twoleg("serve", "--http", "nonsense", "--rtp-ports", "1-2", "--rtpengine", "node")

    assert ended.exit_code == CONFIG
    assert "http: give HOST:PORT" in ended.err
    assert "rtp_ports: give LOW-HIGH between 1024 and 65535" in ended.err
    assert "rtpengine: give IP:PORT of each node once" in ended.err


def test_a_misspelt_variable_is_named_with_the_one_that_is_meant(twoleg, monkeypatch) -> None:
    monkeypatch.setenv("TWOLEG_HTPP", "127.0.0.1:8080")

    ended = twoleg("serve")

    assert ended.exit_code == CONFIG
    assert "TWOLEG_HTPP: there is no such setting; is http meant?" in ended.err


def test_an_unknown_setting_of_the_file_is_named_with_those_that_there_are(
    twoleg, tmp_path
) -> None:
    (tmp_path / "twoleg.toml").write_text('colour = "green"\n')

    ended = twoleg("serve")

    assert ended.exit_code == CONFIG
    assert "colour: there is no such setting; there are data_dir, database_url, http" in ended.err


def test_a_file_that_is_no_toml_is_named(twoleg, tmp_path) -> None:
    (tmp_path / "twoleg.toml").write_text("http = \n")

    ended = twoleg("serve")

    assert ended.exit_code == CONFIG
    assert "twoleg.toml" in ended.err


def test_a_certificate_without_its_key_is_refused(twoleg) -> None:
    ended = twoleg("serve", "--tls-certificate", "chain.pem")

    assert ended.exit_code == CONFIG
    assert "tls_certificate and tls_key go together" in ended.err


def test_piper_voices_are_files_by_language_as_text_and_as_a_table(monkeypatch, tmp_path) -> None:
    voices = {"en": Path("/voices/amy.onnx"), "de-at": Path("/voices/thorsten.onnx")}
    monkeypatch.chdir(tmp_path)
    (tmp_path / "twoleg.toml").write_text(
        '[piper_voices]\nen = "/voices/amy.onnx"\nde-AT = "/voices/thorsten.onnx"\n'
    )
    assert Settings().piper_voices.by_language == voices
    # As serve hands it down to its parts.
    text = str(Settings().piper_voices)
    assert text == "en=/voices/amy.onnx,de-at=/voices/thorsten.onnx"
    monkeypatch.setenv("TWOLEG_PIPER_VOICES", text)
    (tmp_path / "twoleg.toml").unlink()
    assert Settings().piper_voices.by_language == voices


def test_a_piper_voice_without_its_language_is_refused(twoleg) -> None:
    ended = twoleg("serve", "--piper-voices", "/voices/amy.onnx")

    assert ended.exit_code == CONFIG
    assert "piper_voices: give LANGUAGE=FILE" in ended.err


def test_every_setting_is_in_the_table_of_the_docs_with_its_default() -> None:
    page = (Path(__file__).parents[2] / "docs" / "operating.md").read_text()
    rows = [row for row in page.splitlines() if row.startswith("| `")]
    for name, field in Settings.model_fields.items():
        [row] = [row for row in rows if f"`{name}`" in row.partition(" | ")[0]]
        default = "" if field.default is None else field.default
        if isinstance(default, bool):
            assert any(word in row.split(" | ")[1] for word in ("off", "false")), row
        else:
            shown = f"{default:g}" if isinstance(default, float | int) else str(default)
            assert shown in row.split(" | ")[1], row


def test_every_setting_of_serve_is_named_in_its_help(twoleg) -> None:
    ended = twoleg("serve", "--help")

    assert ended.exit_code == 0
    for name in Settings.model_fields:
        assert f"TWOLEG_{name.upper()}" in ended.out, name
