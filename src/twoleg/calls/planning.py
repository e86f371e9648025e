"""From a claimed call's rows to its plan: whom to ring, how, and what each side sees."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from twoleg.calls.agent_queries import Found
from twoleg.calls.claims import Claim
from twoleg.calls.destinations import destination
from twoleg.calls.line_trunks import LineTrunk, in_turn, leg_over, legs_over, trunks_of
from twoleg.calls.plan import (
    AGENT_RING_SECONDS,
    CONTACT_RING_SECONDS,
    MAX_CALL_SECONDS,
    AgentPlan,
    AgentRound,
    CallPlan,
    ContactPlan,
    LegPlan,
    OnMachine,
)
from twoleg.calls.screening import policy_for
from twoleg.calls.trunk_health import TrunkHealth
from twoleg.directory.accounts import Announcement, Recording
from twoleg.directory.media_encryption import MediaEncryption
from twoleg.media import Codec
from twoleg.sip import (
    Address,
    Flow,
    InvalidValue,
    NameAddr,
    SipUri,
    Transport,
    Uri,
    destination_of,
    flow_from_json,
)

PHONE_CODECS: Final = (Codec.PCMU, Codec.PCMA, Codec.G722)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What planning needs to know of the engine: its number and its advertised address."""

    engine_id: int
    address: Address
    chance: Callable[[], float]
    """Gives numbers from 0 to below 1."""

    health: TrunkHealth = field(default_factory=TrunkHealth)
    """Tells of a trunk whether others are to be tried first."""


def plan_of(claim: Claim, here: Surroundings) -> CallPlan:
    """Make the plan of a claimed call."""
    options = claim.options
    ring = options.get("ring_seconds") or {}
    trunks = _trunks(claim, here)
    first = _round(claim, claim.found, trunks, here)
    return CallPlan(
        call_id=claim.call_id,
        account_id=claim.account_id,
        rounds=() if first is None else (first,),
        contact=ContactPlan(
            trunks=legs_over(trunks, claim.contact_phone_number),
            ring_seconds=float(ring.get("contact") or CONTACT_RING_SECONDS),
            country=claim.country,
            language=claim.contact_language,
        ),
        ring_group_id=claim.ring_group_id,
        max_seconds=float(options.get("max_seconds") or MAX_CALL_SECONDS),
        sequence=claim.sequence,
        queued_seconds=claim.queued_seconds,
        hangup_requested=claim.hangup_requested,
        expired=claim.expired,
        contact_first=options.get("first") == "contact",
        contact_name=claim.contact_name,
        whisper_prompt_id=options.get("whisper_prompt_id"),
        record=_is_recorded(claim),
        announcement=Announcement(claim.account_recording[1]),
        on_machine=_on_machine(options.get("detect_machine")),
        agents_busy=claim.found.others and not claim.found.agents,
    )


def _on_machine(wanted: Any) -> OnMachine | None:
    return OnMachine(wanted) if wanted else None


def _is_recorded(claim: Claim) -> bool:
    """Whatever the request says, the account's policy has the last word."""
    policy = claim.account_recording[0]
    asked = claim.options.get("record") is True
    return policy == Recording.ALWAYS or (policy == Recording.ON_REQUEST and asked)


def round_of(claim: Claim, found: Found, here: Surroundings) -> AgentRound | None:
    """Plan how those that were found for a call are rung; None: none of them can be reached."""
    return _round(claim, found, _trunks(claim, here), here)


def _trunks(claim: Claim, here: Surroundings) -> Sequence[LineTrunk]:
    host = here.address.host
    trunks = trunks_of(claim.trunks, claim.line_phone_number, claim.country, host)
    return in_turn(trunks, here.chance, here.health)


def _round(
    claim: Claim, found: Found, trunks: Sequence[LineTrunk], here: Surroundings
) -> AgentRound | None:
    agents = [
        AgentPlan(
            endpoints=endpoints,
            user_id=agent["user_id"],
            screening=policy_for(
                claim.options.get("screen"),
                agent["screening"],
                found.screening,
                claim.account_screening,
            ),
        )
        for agent in found.agents
        if (endpoints := _endpoints(agent, claim, trunks, here))
    ]
    if not agents:
        return None
    asked = (claim.options.get("ring_seconds") or {}).get("agent")
    seconds = float(asked or found.ring_seconds or AGENT_RING_SECONDS)
    return AgentRound(agents=tuple(agents), ring_seconds=seconds)


def _endpoints(
    agent: Mapping[str, Any],
    claim: Claim,
    trunks: Sequence[LineTrunk],
    here: Surroundings,
) -> tuple[LegPlan, ...]:
    """Choose how an agent is rung: the number asked for, else the phones, else the own number."""
    number = agent["phone_number"]
    if agent["user_id"] == claim.user_id and claim.user_phone_number is not None:
        number = claim.user_phone_number
    else:
        phones = tuple(
            phone
            for binding in agent["bindings"]
            if (phone := _registered_phone(binding, agent, claim, here)) is not None
        )
        if phones:
            return phones
    if number is None or not trunks or not _may_be_dialled(number, claim):
        return ()
    return (leg_over(trunks, number),)


def _may_be_dialled(number: str, claim: Claim) -> bool:
    """Tell whether the account's rules allow an agent's number, as they must a contact's.

    The contact itself is nobody to be joined to it.
    """
    if number == claim.contact_phone_number:
        return False
    return destination(number, claim.country).refusal(claim.allowed_countries) is None


def _registered_phone(
    binding: Mapping[str, Any], agent: Mapping[str, Any], claim: Claim, here: Surroundings
) -> LegPlan | None:
    try:
        target = SipUri.parse(binding["contact"])
        routes = tuple([NameAddr.parse(route) for route in binding["path"]])
    except InvalidValue:
        return None
    caller = SipUri("sip", claim.contact_phone_number, None, here.address.host)
    user = SipUri("sip", agent["sip_username"], None, here.address.host)
    flow = None if routes else _living_flow(binding, here)
    if flow is None and not routes and _is_by_websocket(target.transport):
        return None  # a page, whose connection is another engine's or gone
    encrypted = agent["media_encryption"] == MediaEncryption.SDES
    if encrypted and not _is_secure(flow, routes[0].uri if routes else target):
        return None
    return LegPlan(
        target=target,
        from_=NameAddr(caller, claim.contact_name or claim.contact_phone_number),
        to=NameAddr(user),
        routes=routes,
        flow=flow,
        codecs=PHONE_CODECS,
        encrypted=encrypted,
        is_browser=_is_by_websocket(target.transport if flow is None else flow.transport),
    )


def _is_by_websocket(transport: Transport | None) -> bool:
    return transport is not None and transport.by_websocket


def _is_secure(flow: Flow | None, hop: Uri) -> bool:
    """Tell whether nobody reads what goes to a phone: keys of its audio are in it."""
    if flow is not None:
        return flow.transport.secure
    there = destination_of(hop, Transport.UDP)
    return there is not None and there.transport.secure


def _living_flow(binding: Mapping[str, Any], here: Surroundings) -> Flow | None:
    """Give the way that the phone registered by, where it leads there still.

    A connection dies with its engine; what a NAT keeps open for UDP does not.
    """
    if binding["flow"] is None:
        return None
    flow = flow_from_json(binding["flow"])
    if flow.transport is not Transport.UDP and binding["engine_id"] != here.engine_id:
        return None
    return flow
