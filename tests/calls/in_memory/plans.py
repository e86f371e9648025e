"""Plans of calls: one user's phone, one trunk to the contact, unless told otherwise."""

from twoleg.calls.plan import AgentPlan, AgentRound, CallPlan, ContactPlan, LegPlan
from twoleg.sip import NameAddr, SipUri


def leg_plan(name, **values):
    uri = SipUri.parse(f"sip:{name}@example.test")
    caller = NameAddr.parse('"Line" <sip:+41445550100@example.test>')
    return LegPlan(target=uri, from_=caller, to=NameAddr(uri), **values)


def user(*phones, user_id=7, **values):
    return AgentPlan(endpoints=tuple(leg_plan(name, **values) for name in phones), user_id=user_id)


def one_after_another(*agents):
    """A round for each."""
    return tuple(AgentRound(agents=(agent,)) for agent in agents)


def call_plan(*rounds, trunks=("contact",), **values):
    """One user's phone `agent`, one trunk to `contact`, Swiss tones; unless told otherwise."""
    rounds = rounds or ((user("agent"),),)
    contact = ContactPlan(
        trunks=tuple(
            trunk if isinstance(trunk, LegPlan) else leg_plan(trunk, trunk_id=number)
            for number, trunk in enumerate(trunks, 1)
        ),
        country="CH",
    )
    told = [
        together if isinstance(together, AgentRound) else AgentRound(agents=together)
        for together in rounds
    ]
    return CallPlan(call_id=1, account_id=2, rounds=tuple(told), contact=contact, **values)
