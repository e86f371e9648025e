"""The contract's vectors, as `contract/two_legged_call.json` has them."""

import json
from pathlib import Path

CONTRACT = json.loads(
    Path(__file__).with_name("contract").joinpath("two_legged_call.json").read_text()
)
PATH = CONTRACT["path"]
REQUESTS = CONTRACT["accepted"]["requests"]
ACCEPTED = (CONTRACT["accepted"]["status"], CONTRACT["accepted"]["body"])
ENOUGH = {"user_id": 1, "contact_id": 1234, "line_id": 1}
"""What a request of the tests' account must have, beside its token."""


def with_token(body, token):
    return {
        name: value.replace("{token}", token) if isinstance(value, str) else value
        for name, value in body.items()
    }
