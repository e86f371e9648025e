"""The settings of a twoleg process: command line over environment over `twoleg.toml`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Annotated, Self

from pydantic import BeforeValidator, Field, SecretStr, field_validator, model_validator
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from twoleg.store.objects import ObjectSettings

PREFIX = "TWOLEG_"
FILE = "twoleg.toml"
CLIENT_VARIABLES = frozenset({"TWOLEG_URL", "TWOLEG_TOKEN"})
"""What the commands that speak to a running service read; no settings of the service."""
# RFC 6454 6.2: scheme, host and, if it is not the scheme's own, the port.
_ORIGIN = re.compile(r"https?://[^/\s?#@]+")
DATABASE_URL = re.compile(r"postgres(ql)?(\+psycopg)?://|\s*\w+\s*=")
MAX_PORT = 65535
LOWEST_RTP_PORT = 1024


class LogFormat(StrEnum):
    """How log lines are written."""

    AUTO = "auto"  # for people on a terminal, JSON otherwise
    CONSOLE = "console"
    JSON = "json"


@dataclass(frozen=True, slots=True)
class ListenAddress:
    """`HOST:PORT` with the host in brackets where it is IPv6; port 0 takes any free one."""

    host: str
    port: int

    @classmethod
    def parse(cls, value: object) -> ListenAddress:
        """Read `value`; ValueError says what is expected."""
        if isinstance(value, ListenAddress):
            return value
        host, colon, port = str(value).rpartition(":")
        host = host.removeprefix("[").removesuffix("]")
        if not (colon and host and port.isdecimal() and int(port) <= MAX_PORT):
            raise ValueError("give HOST:PORT, such as 127.0.0.1:8080 or [::1]:8080")
        return cls(host, int(port))

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class PortRange:
    """`LOW-HIGH`, both included."""

    low: int
    high: int

    @classmethod
    def parse(cls, value: object) -> PortRange:
        """Read `value`; ValueError says what is expected."""
        if isinstance(value, PortRange):
            return value
        low, dash, high = str(value).partition("-")
        if not (dash and low.isdecimal() and high.isdecimal()):
            raise ValueError("give LOW-HIGH, such as 20000-29999")
        if not LOWEST_RTP_PORT <= int(low) < int(high) <= MAX_PORT:
            raise ValueError("give LOW-HIGH between 1024 and 65535, with room for a pair at least")
        return cls(int(low), int(high))

    def __str__(self) -> str:
        return f"{self.low}-{self.high}"


@dataclass(frozen=True, slots=True)
class VoiceFiles:
    """`LANGUAGE=FILE`, parted by commas; a table in `twoleg.toml`."""

    by_language: Mapping[str, Path]

    @classmethod
    def parse(cls, value: object) -> VoiceFiles:
        """Read `value`; ValueError says what is expected."""
        if isinstance(value, VoiceFiles):
            return value
        if isinstance(value, Mapping):
            return cls({str(tag).lower(): Path(str(file)) for tag, file in value.items()})
        files = {}
        for each in filter(None, map(str.strip, str(value).split(","))):
            tag, equals, file = each.partition("=")
            if not (tag.strip() and equals and file.strip()):
                raise ValueError("give LANGUAGE=FILE, such as en=/voices/en_US-amy-medium.onnx")
            files[tag.strip().lower()] = Path(file.strip())
        return cls(files)

    def __str__(self) -> str:
        return ",".join(f"{tag}={file}" for tag, file in self.by_language.items())


@dataclass(frozen=True, slots=True)
class NodeAddresses:
    """`IP:PORT` of one node or more, parted by commas."""

    addresses: tuple[ListenAddress, ...]

    @classmethod
    def parse(cls, value: object) -> NodeAddresses:
        """Read `value`; ValueError says what is expected."""
        if isinstance(value, NodeAddresses):
            return value
        try:
            addresses = tuple(ListenAddress.parse(each.strip()) for each in str(value).split(","))
            for address in addresses:
                ip_address(address.host)
        except ValueError:
            raise ValueError(_NODES_EXPECTED) from None
        if len(set(addresses)) < len(addresses) or any(not each.port for each in addresses):
            raise ValueError(_NODES_EXPECTED)
        return cls(addresses)

    def __str__(self) -> str:
        return ",".join(map(str, self.addresses))


_NODES_EXPECTED = "give IP:PORT of each node once, parted by commas, such as 10.0.0.7:2223"

Listen = Annotated[ListenAddress, NoDecode, BeforeValidator(ListenAddress.parse)]
PiperVoices = Annotated[VoiceFiles, NoDecode, BeforeValidator(VoiceFiles.parse)]
Ports = Annotated[PortRange, NoDecode, BeforeValidator(PortRange.parse)]
Nodes = Annotated[NodeAddresses, NoDecode, BeforeValidator(NodeAddresses.parse)]


class Settings(BaseSettings):
    """Every setting; each is `TWOLEG_NAME` in the environment and `name` in `twoleg.toml`."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_ignore_empty=True, toml_file=FILE, extra="forbid"
    )

    data_dir: Path = Field(
        default=Path("twoleg-data"), description="Where the embedded database and recordings live."
    )
    database_url: SecretStr | None = Field(
        default=None,
        description="A PostgreSQL 14+ of your own (postgresql://...); without it one is embedded.",
    )
    http: Listen = Field(
        default=ListenAddress("127.0.0.1", 8080), description="HOST:PORT of the HTTP API."
    )
    trusted_proxies: str | None = Field(
        default=None,
        description="Addresses or networks, parted by commas, of proxies in front of the HTTP API "
        "whose X-Forwarded-For is believed; none if unset.",
    )
    sip: Listen = Field(
        default=ListenAddress("0.0.0.0", 5060),  # noqa: S104  phones and trunks are outside
        description="HOST:PORT of SIP over UDP and TCP.",
    )
    sip_tls: Listen | None = Field(default=None, description="HOST:PORT of SIP over TLS.")
    sip_ws: Listen | None = Field(
        default=None, description="HOST:PORT of SIP over WebSocket (ws:)."
    )
    sip_wss: Listen | None = Field(
        default=None, description="HOST:PORT of SIP over WebSocket with TLS (wss:)."
    )
    sip_ws_origins: str | None = Field(
        default=None,
        description="Origins, parted by commas (https://crm.example), whose pages may open a "
        "WebSocket; any, and what is no page, if unset.",
    )
    tls_certificate: Path | None = Field(
        default=None,
        description="PEM file with the certificate chain that sip_tls and sip_wss show.",
    )
    tls_key: Path | None = Field(default=None, description="PEM file with its private key.")
    tls_authorities: Path | None = Field(
        default=None, description="PEM file of the authorities that sign your trunks' certificates."
    )
    public_address: str | None = Field(
        default=None,
        description="IP address that phones and trunks reach this machine by, where it differs.",
    )
    rtp_ports: Ports = Field(
        default=PortRange(20000, 29999), description="LOW-HIGH of the ports that carry audio."
    )
    rtpengine: Nodes | None = Field(
        default=None,
        description="IP:PORT of the NG protocol of rtpengine nodes, parted by commas, that carry "
        "the calls' audio; the engine itself does if unset.",
    )
    simulator: bool = Field(
        default=False, description="Run the simulator trunk beside: numbers to try calls with."
    )
    simulator_sip: Listen = Field(
        default=ListenAddress("127.0.0.1", 5070), description="HOST:PORT of the simulator's SIP."
    )
    simulator_rtp_ports: Ports = Field(
        default=PortRange(18000, 19999), description="LOW-HIGH of the simulator's audio."
    )
    max_calls: int = Field(
        default=1000, ge=1, description="Calls that one engine carries at the same time."
    )
    max_queued_seconds: float = Field(
        default=300.0,
        ge=0,
        description="Age at which a call expires that no engine was there to take; what the call "
        "may wait for an agent comes on top.",
    )
    silent_seconds: float = Field(
        default=60.0,
        ge=0,
        description="A phone from which no audio has come for so long is taken to be gone, and its "
        "call ended; 0: never.",
    )
    drain_seconds: float = Field(
        default=5.0, ge=0, description="How long running calls may go on once told to stop."
    )
    reminder_minute_seconds: float = Field(
        60,
        gt=0,
        le=60,
        description=(
            "Seconds of each minute between the tries of a reminder; fewer only to try plans out."
        ),
    )
    piper_voices: PiperVoices = Field(
        default=VoiceFiles({}),
        description="LANGUAGE=FILE, parted by commas: Piper's voices (.onnx, .onnx.json beside it) "
        "for languages in place of espeak-ng's.",
    )
    record_days: int | None = Field(
        default=None, ge=1, description="Days after which call records are removed; never if unset."
    )
    webhooks_allow_private: bool = Field(
        default=False,
        description="Whether webhooks may go to private addresses, and over HTTP without TLS; "
        "calendar feeds may be there too then.",
    )
    delivery_days: int = Field(
        default=30, ge=1, description="Days after which deliveries of webhooks are removed."
    )
    recordings_url: str | None = Field(
        default=None,
        pattern=r"^s3://[^/\s]+(/\S*)?$",
        description="s3://BUCKET/PREFIX to keep recordings in; in the data directory if unset.",
    )
    recordings_endpoint: str | None = Field(
        default=None,
        pattern=r"^https?://\S+$",
        description="URL of an S3-compatible store; Amazon's if unset.",
    )
    recordings_region: str | None = Field(default=None, description="Region of the bucket.")
    recordings_access_key: SecretStr | None = Field(
        default=None, description="Access key; else AWS_ACCESS_KEY_ID or the machine's role."
    )
    recordings_secret_key: SecretStr | None = Field(
        default=None, description="Secret key; else AWS_SECRET_ACCESS_KEY or the machine's role."
    )
    recording_days: int | None = Field(
        default=None, ge=1, description="Days after which recordings are removed; never if unset."
    )
    recording_link_seconds: int = Field(
        default=3600, ge=10, le=604_800, description="How long a link to a recording is good for."
    )
    log_format: LogFormat = Field(default=LogFormat.AUTO, description="auto, console or json.")
    log_level: str = Field(
        default="info",
        pattern="^(debug|info|warning|error)$",
        description="debug, info, warning or error.",
    )

    @field_validator("database_url")
    @classmethod
    def _check_database_url(cls, url: SecretStr | None) -> SecretStr | None:
        # libpq's own `name=value` form is taken too.
        if url is None or DATABASE_URL.match(url.get_secret_value()):
            return url
        raise ValueError("give postgresql://USER:PASSWORD@HOST:PORT/DATABASE")

    @field_validator("trusted_proxies")
    @classmethod
    def _check_proxies(cls, proxies: str | None) -> str | None:
        for each in (proxies or "").split(","):
            if each.strip():
                ip_network(each.strip())
        return proxies

    @field_validator("sip_ws_origins")
    @classmethod
    def _check_origins(cls, origins: str | None) -> str | None:
        for each in (origins or "").split(","):
            if each.strip() and _ORIGIN.fullmatch(each.strip().lower()) is None:
                raise ValueError(f"{each.strip()!r} is no origin: write https://HOST or with :PORT")
        return origins

    @model_validator(mode="after")
    def _check_pairs(self) -> Self:
        if (self.tls_certificate is None) != (self.tls_key is None):
            raise ValueError("tls_certificate and tls_key go together: give both or none")
        if (self.recordings_access_key is None) != (self.recordings_secret_key is None):
            raise ValueError(
                "recordings_access_key and recordings_secret_key go together: give both or none"
            )
        for name in ("sip_tls", "sip_wss"):
            if getattr(self, name) is not None and self.tls_certificate is None:
                raise ValueError(f"{name} needs tls_certificate and tls_key")
        if self.public_address is not None:
            ip_address(self.public_address)
        return self

    @property
    def websocket_origins(self) -> frozenset[str] | None:
        """The origins of `sip_ws_origins`; None: any."""
        named = [each.strip().lower() for each in (self.sip_ws_origins or "").split(",")]
        return frozenset([each for each in named if each]) or None

    @property
    def objects(self) -> ObjectSettings:
        """Where recordings are kept."""
        access, secret = self.recordings_access_key, self.recordings_secret_key
        return ObjectSettings(
            directory=self.data_dir / "recordings",
            url=self.recordings_url,
            endpoint=self.recordings_endpoint,
            region=self.recordings_region,
            access_key=None if access is None else access.get_secret_value(),
            secret_key=None if secret is None else secret.get_secret_value(),
        )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Give the order in which a setting is looked for."""
        del dotenv_settings, file_secret_settings
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls)


def unknown_variables(environment: Mapping[str, str]) -> list[str]:
    """Return the names that look like a setting and are none: a typing error says so."""
    known = {f"{PREFIX}{name.upper()}" for name in Settings.model_fields} | CLIENT_VARIABLES
    return sorted(
        name for name in environment if name.startswith(PREFIX) and name.upper() not in known
    )
