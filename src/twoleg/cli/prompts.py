"""`twoleg prompts`: what agents and contacts hear, from files or spoken texts."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import typer

from twoleg.cli.client import connected
from twoleg.cli.exit_codes import ExitCode
from twoleg.cli.options import AsJson
from twoleg.cli.output import print_fields, print_json
from twoleg.cli.resources import Resource, commands
from twoleg.cli.saving import save

prompts = commands(
    Resource(
        "prompts",
        "prompt",
        ("id", "name", "kind", "language", "seconds", "text"),
        "name, text, language",
        without=frozenset({"create", "update"}),
    )
)

PromptId = Annotated[int, typer.Argument(metavar="ID")]
AudioFile = Annotated[
    Path | None, typer.Option("--file", help="An audio file of any common format.")
]
SpokenText = Annotated[str | None, typer.Option("--text", help="A text that is spoken instead.")]
Language = Annotated[
    str | None, typer.Option("--language", help="The text's language, such as en or pt-BR.")
]

_CHANGE: Final = "PATCH"


@prompts.command()
def create(
    name: Annotated[str, typer.Option(help="What it is called; each name once.")],
    file: AudioFile = None,
    text: SpokenText = None,
    language: Language = None,
    as_json: AsJson = False,
) -> None:
    """Make a prompt of a file, or of a text."""
    _send("POST", "/prompts", file, {"name": name, "text": text, "language": language}, as_json)


@prompts.command()
def update(
    id_: PromptId,
    name: Annotated[str | None, typer.Option(help="What it is called.")] = None,
    file: AudioFile = None,
    text: SpokenText = None,
    language: Language = None,
    as_json: AsJson = False,
) -> None:
    """Change a prompt; calls play the new one from then on."""
    fields = {"name": name, "text": text, "language": language}
    _send(_CHANGE, f"/prompts/{id_}", file, fields, as_json)


@prompts.command("save")
def save_audio(
    id_: PromptId,
    output: Annotated[Path, typer.Option(help="The WAV file to write; it must not be there.")],
) -> None:
    """Save a prompt's audio, as a telephone plays it."""
    save(f"/prompts/{id_}/audio", output)


def _send(
    method: str, path: str, file: Path | None, fields: dict[str, str | None], as_json: bool
) -> None:
    given = {name: value for name, value in fields.items() if value is not None}
    try:
        with connected() as client:
            if file is not None:
                thing = client.send_form(method, path, given, file)
            elif method == _CHANGE:
                thing = client.patch(path, dict(given))
            else:
                thing = client.post(path, dict(given))
    except OSError as error:
        typer.echo(f"{file}: {error.strerror}", err=True)
        raise typer.Exit(ExitCode.FAILED) from error
    if as_json:
        print_json(thing)
    else:
        print_fields(thing)
