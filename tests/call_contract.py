"""The contract's vectors, as they stand in the shared file beside the repository."""

import json
from pathlib import Path

CONTRACT = json.loads(
    Path(__file__)
    .resolve()
    .parents[2]
    .joinpath("shared", "contract", "two_legged_call.json")
    .read_text()
)
PATH = CONTRACT["path"]
REQUESTS = CONTRACT["accepted"]["requests"]
ACCEPTED = (CONTRACT["accepted"]["status"], CONTRACT["accepted"]["body"])


def with_token(body, token):
    return {
        name: value.replace("{token}", token) if isinstance(value, str) else value
        for name, value in body.items()
    }
