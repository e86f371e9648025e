"""Phones in memory: whoever is rung behaves as told, and what is done to them is kept."""

import asyncio
from contextlib import suppress

from calls.in_memory.far_ends import (
    Answers,
    FallsSilent,
    HangsUp,
    LosesAudio,
    Offers,
    PlaysEarly,
    Presses,
    Refers,
    Refuses,
    Rings,
    Says,
    Sends,
    Vanishes,
)

from twoleg.media.g711 import encode_ulaw
from twoleg.sip import (
    PCMU,
    TELEPHONE_EVENT,
    AudioSession,
    Destination,
    DialogIdentity,
    Headers,
    InviteIdentity,
    LocalAudio,
    LocalProtocolError,
    Progress,
    Request,
    Transport,
)
from twoleg.sip_io import Answer, LegEnd, LegRefused


class MemoryLeg:
    """One far end that behaves as told. `sent` is what we did to it."""

    def __init__(self, phone, invitation, session, behaviour):
        self.invitation = invitation
        self.sent = ["INVITE"]
        self.sent_at = {"INVITE": phone.loop.time()}
        self.reasons = []
        self.infos = []
        self.requests = []
        self.referred = []
        self.is_challenged = False
        self.state = "ringing"
        self.hung_up = False
        self.audio = AudioSession(LocalAudio("192.0.2.7", 40000, (PCMU, TELEPHONE_EVENT)), 9)
        self.replies = []
        self.identity = None
        self._phone = phone
        self._session = session
        self._tell_progress = None
        self._refusal = None
        self._answer = None
        self._end = None
        self._tell_end = None
        self._waiters = []
        self._timers = [phone.loop.call_later(act.after, self._act, act) for act in behaviour]

    @property
    def invite(self):
        if self.state != "ringing":
            return None
        sent = self.invitation
        invite = sent.identity or self._phone.identify(sent.target, sent.from_, sent.to)
        return invite.challenged() if self.is_challenged else invite

    def challenge(self):
        """Have the INVITE sent once more, with credentials."""
        self.is_challenged = True

    def when_progress(self, tell):
        self._tell_progress = tell

    async def answered(self):
        while self._answer is None:
            if self._refusal is not None:
                raise LegRefused(*self._refusal)
            await self._change()
        return self._answer

    async def ended(self):
        while self._end is None:
            await self._change()
        return self._end

    def when_ended(self, tell):
        self._tell_end = tell
        if self._end is not None and tell is not None:
            self._phone.loop.call_soon(self._tell_if_ended)

    def _tell_if_ended(self):
        if self._end is not None and self._tell_end is not None:
            tell, self._tell_end = self._tell_end, None
            tell(self._end)

    def acknowledge(self):
        assert self.state in ("answered", "ended"), "nothing to acknowledge"
        assert "ACK" not in self.sent, "acknowledged twice"
        if self.state == "answered":
            self._send("ACK")

    def hang_up(self, reason=None):
        if self.state == "ringing":
            self._send("CANCEL", reason)
        elif self.state == "answered":
            if "ACK" not in self.sent:
                self._send("ACK")
            self._send("BYE", reason)
            # As Leg.abandon does: nobody waits for the far end's last word.
            self._end = LegEnd(False, None, None, None)
        self._over("ended")
        self._wake()

    def send_request(self, method, headers, body=b"", content_type=""):
        if self.state == "answered":
            self.requests.append((method, dict(headers), body.decode(), content_type))

    def send_info(self, content_type, body):
        if self.state == "answered":
            self.infos.append((content_type, body))

    def _send(self, method, reason=None):
        self.sent.append(method)
        self.sent_at[method] = self._phone.loop.time()
        if reason is not None:
            self.reasons.append(str(reason))

    def _act(self, act):  # noqa: C901  # one case for each act
        match act:
            case Rings():
                self._progresses(Progress(1, act.status, "Ringing", b"", False, None))
            case PlaysEarly():
                body = self.audio.answer_offer(self.invitation.body)[0]
                body = body if act.body is None else act.body
                self._progresses(Progress(1, 183, "Session Progress", body, False, None))
                if act.audio_after is not None:
                    port = self._port()
                    timer = self._phone.loop.call_later(act.audio_after - act.after, port.hear)
                    self._timers.append(timer)
            case Answers():
                self._answered(act)
            case Refuses():
                self._refusal = (act.status, act.reason, act.cause, act.q850)
                self._over("refused")
            case HangsUp():
                if self.state == "answered":
                    self.hung_up = True
                    self._end = LegEnd(True, None, 16, "")
                    self._over("ended")
            case Vanishes():
                self._end = LegEnd(True, 408, None, "Session Expired", vanished=True)
                self._over("ended")
            case Offers():
                self._offers(act)
            case Sends():
                self._session.take_info(act.info)
            case Refers():
                self._refers(act)
            case Presses():
                self._port().inject_digit(act.digit)
            case Says():
                self._says(encode_ulaw(act.samples))
            case FallsSilent():
                self._port().audio_stopped.set()
            case LosesAudio():
                self._port().listener.media_failed(act.why)
        self._wake()

    def _progresses(self, progress):
        if self.state == "ringing" and self._tell_progress is not None:
            self._tell_progress(progress)

    def _says(self, encoded):
        port = self._port()
        for number, start in enumerate(range(0, len(encoded), 160)):
            packet = encoded[start : start + 160]
            self._timers.append(self._phone.loop.call_later(number * 0.02, port.receive, packet))

    def _offers(self, act):
        self.replies.append(self._session.answer_offer(act.offer(self.audio)))
        with suppress(LocalProtocolError):  # not every offer is the session's own
            self.audio.accept_answer(self.replies[-1])

    def _refers(self, act):
        headers = Headers([("CSeq", "7 REFER"), ("Refer-To", f"<{act.to}>")])
        request = Request("REFER", self.invitation.from_.uri, headers)
        self.referred.append(self._session.take_request(request))

    def _answered(self, act):
        self.audio.local = LocalAudio("192.0.2.7", 40000, (*act.formats, TELEPHONE_EVENT))
        body = act.body
        if body is None:
            body = self.audio.answer_offer(self.invitation.body)[0]
        self.identity = DialogIdentity(
            call_id="a",
            local_tag="b",
            remote_tag="c",
            local_cseq=1,
            remote_cseq=None,
            local_uri=str(self.invitation.from_),
            remote_uri=str(self.invitation.to),
            remote_target=str(self.invitation.target),
            route_set=(),
            transport=Transport.UDP,
        )
        self.state = "answered"
        self._answer = Answer(200, body, self.identity)

    def _port(self):
        text = self.invitation.body.decode()
        number = int(text.split("m=audio ")[1].split()[0])
        return self._phone.plane.open[number]

    def _over(self, state):
        if self.state not in ("ended", "refused"):
            self.state = state
        for timer in self._timers:
            timer.cancel()

    async def _change(self):
        waiter = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        try:
            await waiter
        finally:
            if waiter in self._waiters:
                self._waiters.remove(waiter)

    def _wake(self):
        self._tell_if_ended()
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)


class MemoryPhone:
    """Rings whoever `behaviours` names by the user part of the target."""

    def __init__(self, plane, behaviours):
        self.loop = asyncio.get_running_loop()
        self.plane = plane
        self.behaviours = behaviours
        self.legs = {}

    async def place(self, invitation, session):
        await asyncio.sleep(0)  # as a name that is looked up
        user = invitation.target.user
        leg = MemoryLeg(self, invitation, session, self.behaviours[user])
        self.legs[user] = leg
        return leg

    def identify(self, target, from_, to, destinations=(), routes=()):
        return InviteIdentity(
            uri=str(target),
            via="SIP/2.0/UDP 192.0.2.10",
            branch=f"z9hG4bK-{target.user}",
            from_=f"{from_};tag=ours",
            to=str(to),
            call_id="a",
            cseq=1,
            routes="",
            destination=Destination(Transport.UDP, "192.0.2.7", 5060),
        )

    def up(self):
        return [leg for leg in self.legs.values() if leg.state in ("ringing", "answered")]
