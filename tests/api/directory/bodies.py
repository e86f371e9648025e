"""The least that each kind of thing is made with, and what is said of more that is wrong."""

TRUNK = {"name": "Carrier", "host": "sip.example.com"}
USER = {"name": "Bob", "email": "bob@example.com"}
CONTACT = {"phone_number": "+1 (818) 127-6543"}
LINE = {"phone_number": "+18552562002"}
GROUP = {"name": "Support"}
TOKEN = {"name": "CRM"}
NEW = {
    "users": USER,
    "ring-groups": GROUP,
    "contacts": CONTACT,
    "lines": LINE,
    "trunks": TRUNK,
    "tokens": TOKEN,
}


def errors_of(reply):
    assert reply.status_code == 422, reply.text
    assert reply.json()["message"] == "The given data was invalid."
    return reply.json()["errors"]
