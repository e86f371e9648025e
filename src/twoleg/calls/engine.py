"""One engine: SIP, media, the queue, the record and the care for trunks, wired together."""

from __future__ import annotations

import random
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Self

import structlog

from twoleg.calls.agent_desk import AgentDesk
from twoleg.calls.agent_search import AgentSearch
from twoleg.calls.agents import AgentSource
from twoleg.calls.background import background
from twoleg.calls.bindings import StoredBindings
from twoleg.calls.call_agents import CallAgents
from twoleg.calls.claims import Claim
from twoleg.calls.dial_check import DialChecks, StoredDialCheck
from twoleg.calls.dispatch import MAX_QUEUED_SECONDS, Dispatcher, RunningCall
from twoleg.calls.figures import Figures
from twoleg.calls.known_peers import KnownPeers
from twoleg.calls.phrases import language_for
from twoleg.calls.plan import CallPlan
from twoleg.calls.planning import Surroundings, plan_of
from twoleg.calls.ports import Equipment
from twoleg.calls.prompt_book import PromptBook
from twoleg.calls.recordings import RecordingDesk
from twoleg.calls.recovery import Recovery, join
from twoleg.calls.spoken_texts import SpokenPhrases, SpokenTexts
from twoleg.calls.story import Story, StorySettings
from twoleg.calls.transfer_targets import TransferTargets
from twoleg.calls.trunk_places import TrunkPlaces
from twoleg.calls.trunk_watch import TrunkWatch
from twoleg.calls.unplanned_call import UnplannedCall
from twoleg.calls.writer import Writer
from twoleg.media import EmbeddedPlane, ToneBook
from twoleg.media.rtpengine import RtpenginePlane
from twoleg.sip import Credentials, DialogIdentity, InviteIdentity, Reason, Transport
from twoleg.sip_io import ConnectionLimits, Listen, Phone, PhoneConfig, TlsConfig
from twoleg.speech import Voices
from twoleg.store import Database
from twoleg.store.objects import Objects, ObjectSettings

log = structlog.get_logger(__name__)

ENGINE_LOST: Final = Reason("SIP", 503, "Engine lost")

PORTS_PER_CALL: Final = 2
"""Port pairs that a call has, or will have soon; one that rings a group takes more for a while."""

_COUNTRIES: Final = "SELECT DISTINCT country FROM lines WHERE deleted_at IS NULL"
_KNOWN_PHONES: Final = """
SELECT DISTINCT flow->'remote'->>0, extract(epoch FROM max(expires_at))::float8
FROM bindings WHERE expires_at > now() AND flow IS NOT NULL GROUP BY 1
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineConfig:
    """How an engine listens, and how much it carries; hosts are IP literals.

    `public_address` is told to phones and trunks, where it differs from what we listen on.
    """

    sip: tuple[str, int]
    sip_tls: tuple[str, int] | None = None
    sip_ws: tuple[str, int] | None = None
    sip_wss: tuple[str, int] | None = None
    websocket_origins: frozenset[str] | None = None
    """Of the web pages whose phones may connect; None: any."""

    tls_certificate: Path | None = None
    tls_key: Path | None = None
    tls_authorities: Path | None = None
    public_address: str | None = None
    rtp_ports: range = range(20_000, 30_000)
    rtpengine: tuple[tuple[str, int], ...] = ()
    """Where the nodes that carry the audio serve their NG protocol; none: it is carried here."""

    max_calls: int = 1000
    max_queued_seconds: float = MAX_QUEUED_SECONDS
    story: StorySettings = field(default_factory=StorySettings)
    data_dir: Path | None = None
    """Where recordings are written while calls go on; None: nothing is recorded."""

    objects: ObjectSettings | None = None
    """Where they are kept; None: in the data directory."""

    voices: Voices = field(default_factory=Voices)
    """Who speaks."""

    @property
    def listens_to_pages(self) -> bool:
        """Whether phones in web pages can register here."""
        return self.sip_ws is not None or self.sip_wss is not None

    @property
    def phone(self) -> PhoneConfig:
        """The same, as the phone wants it."""
        host, port = self.sip
        listen = [Listen(Transport.UDP, host, port), Listen(Transport.TCP, host, port)]
        further = {
            Transport.TLS: self.sip_tls,
            Transport.WS: self.sip_ws,
            Transport.WSS: self.sip_wss,
        }
        listen += [Listen(kind, *where) for kind, where in further.items() if where is not None]
        return PhoneConfig(
            listen=tuple(listen),
            dialog_methods=frozenset({"REFER"}),
            public_address=self.public_address,
            connections=ConnectionLimits(origins=self.websocket_origins),
            tls=TlsConfig(
                certificate=self.tls_certificate,
                key=self.tls_key,
                authorities=self.tls_authorities,
            ),
        )


@dataclass(frozen=True, slots=True)
class Workplace:
    """What a call of whatever script is placed with."""

    database: Database
    equipment: Equipment
    writer: Writer
    texts: SpokenTexts
    settings: StorySettings
    checks: DialChecks


AgentsOf = Callable[[Claim, AgentSearch], AgentSource]
Scripts = Callable[[Claim, CallPlan, Workplace, AgentsOf], RunningCall | None]


class Engine:
    """A running engine. Made by `Engine.open`."""

    def __init__(self, phone: Phone, recovery: Recovery, dispatcher: Dispatcher) -> None:
        self._phone = phone
        self._recovery = recovery
        self._dispatcher = dispatcher

    @classmethod
    @asynccontextmanager
    async def open(
        cls, config: EngineConfig, database_url: str, scripts: Scripts | None = None
    ) -> AsyncIterator[Self]:
        """Place calls until the block is left, which ends those that still run.

        Calls that are not two-legged ones are begun by `scripts`, which gives None for the others.
        Raises AddressInUse, DatabaseUnavailable.
        """
        peers = KnownPeers()
        async with AsyncExitStack() as stack:
            enter = stack.enter_async_context
            database = await enter(Database.open(database_url))
            bindings = StoredBindings(database, peers.add_phone)
            phone = await enter(Phone.open(config.phone, peers, bindings))
            ours = phone.advertised[Transport.UDP]
            engine_id = await join(database, socket.gethostname(), ours.host, ours.port)
            bindings.engine_id = engine_id
            await _remember_phones(database, peers)

            async def end_lost(identity: DialogIdentity, credentials: Credentials | None) -> None:
                await phone.hang_up_dialog(identity, credentials, ENGINE_LOST)

            async def cancel_lost(invite: InviteIdentity) -> None:
                await phone.cancel_invite(invite, ENGINE_LOST)
                if invite.is_first:
                    # It may have been challenged since: nobody is told of that.
                    await phone.cancel_invite(invite.challenged(), ENGINE_LOST)

            # Left in the opposite order: calls end, their records are written, and only then does
            # the engine say that it is gone.
            recovery = await enter(Recovery.open(database, engine_id, end_lost, cancel_lost))
            writer = await enter(Writer.open(database, engine_id))
            media = EmbeddedPlane.open(
                host=config.sip[0],
                advertised=ours.host,
                ports=config.rtp_ports,
                expects_browsers=config.listens_to_pages and not config.rtpengine,
            )
            ours_only = await enter(media)
            plane: EmbeddedPlane | RtpenginePlane = ours_only
            if config.rtpengine:
                plane = await enter(RtpenginePlane.open(config.rtpengine, ours_only))
            tones = ToneBook()
            trunks = await enter(TrunkPlaces.open(database, engine_id))
            texts = await enter(SpokenTexts.open(database, config.voices))
            phrases = SpokenPhrases(texts, tones)
            await _prepare_phrases(database, phrases)
            recordings = None
            if config.data_dir is not None:
                objects = config.objects or ObjectSettings(directory=config.data_dir / "recordings")
                opening = RecordingDesk.open(database, Objects.open(objects), config.data_dir)
                recordings = await enter(opening)
            equipment = Equipment(
                phone,
                plane,
                tones,
                phrases,
                prompts=PromptBook(database, texts),
                trunks=trunks,
                recordings=recordings,
            )
            here = Surroundings(engine_id, ours, random.random, equipment.health)

            desk = await enter(AgentDesk.open(database, engine_id))
            checks = await enter(DialChecks.open(database))

            workplace = Workplace(database, equipment, writer, texts, config.story, checks)

            def agents_of(claimed: Claim, search: AgentSearch) -> AgentSource:
                return CallAgents(claimed, search, desk, here)

            def begin(claimed: Claim, search: AgentSearch) -> RunningCall:
                try:
                    plan = plan_of(claimed, here)
                    if scripts is not None:
                        call = scripts(claimed, plan, workplace, agents_of)
                        if call is not None:
                            return call
                except Exception:
                    log.exception("a call cannot be planned", call_id=claimed.call_id)
                    return UnplannedCall(claimed, writer)
                agents = agents_of(claimed, search)
                return Story(
                    plan,
                    equipment,
                    writer,
                    settings=config.story,
                    agents=agents,
                    transfers=TransferTargets(claimed, database, desk, here),
                    check=StoredDialCheck(claimed.call_id, checks),
                )

            def spare(running: int) -> int:
                owed = max(0, PORTS_PER_CALL * running - plane.ports_open)
                return (plane.ports_free - owed) // PORTS_PER_CALL

            dispatching = Dispatcher.open(
                database,
                engine_id,
                config.max_calls,
                desk,
                begin,
                max_queued_seconds=config.max_queued_seconds,
                spare=spare,
                has_unwritten=writer.has_unwritten,
            )
            dispatcher = await enter(dispatching)
            watch = TrunkWatch(database, phone, peers, equipment.health)
            await enter(background(watch.run()))
            recovery.figures = Figures(dispatcher, writer, plane, phone, watch, recordings).collect
            yield cls(phone, recovery, dispatcher)

    @property
    def sip_address(self) -> str:
        """HOST:PORT of SIP over UDP, as bound."""
        return str(self._phone.addresses[0][1])

    @property
    def running(self) -> int:
        """Calls that run now."""
        return self._dispatcher.running

    async def drain(self, seconds: float) -> int:
        """Take no more calls, wait for the running ones, and say how many are left."""
        self._recovery.draining = True
        return await self._dispatcher.drain(seconds)


async def _prepare_phrases(database: Database, phrases: SpokenPhrases) -> None:
    """Have the phrases ready that calls over the lines that there are may need."""
    async with database.connection() as connection:
        cursor = await connection.execute(_COUNTRIES)
        for language in {language_for(None, country) for (country,) in await cursor.fetchall()}:
            phrases.prepare(language)


async def _remember_phones(database: Database, peers: KnownPeers) -> None:
    async with database.connection() as connection:
        cursor = await connection.execute(_KNOWN_PHONES)
        for host, until in await cursor.fetchall():
            if host:
                peers.add_phone(host, until)
