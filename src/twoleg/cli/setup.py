"""`twoleg setup`: makes an account, before or while `serve` runs."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from twoleg.cli.database import explained, open_url
from twoleg.cli.exit_codes import ExitCode
from twoleg.cli.options import AsJson, DatabaseUrl, DataDir, settings_from
from twoleg.cli.output import print_json
from twoleg.directory import Invalid
from twoleg.directory.accounts import NewAccount, any_account, setup_account
from twoleg.store import Database, schema

FIRST_ACCOUNT = "Main"


def setup(
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
    name: Annotated[str, typer.Option(help="The account's name.")] = FIRST_ACCOUNT,
    owner_email: Annotated[str | None, typer.Option(help="E-mail address of its owner.")] = None,
    as_json: AsJson = False,
) -> None:
    """Make an account with an owner, and print its token: it is shown only now."""
    settings = settings_from(data_dir=data_dir, database_url=database_url)
    with explained(), open_url(settings) as url:
        schema.upgrade(url)
        try:
            account = asyncio.run(_make(url, name, owner_email))
        except Invalid as error:
            typer.echo(f"{error.field}: {error.message}", err=True)
            raise typer.Exit(ExitCode.REFUSED) from error
    if as_json:
        print_json({"account_id": account.account_id, "token": account.token})
    else:
        typer.echo(f"account {account.account_id} token {account.token}")


async def _make(url: str, name: str, owner_email: str | None) -> NewAccount:
    async with Database.open(url) as database:
        return await setup_account(database, name, owner_email)


async def first_account(url: str) -> NewAccount | None:
    """Make the first account of an empty database; None where there is one."""
    async with Database.open(url) as database:
        if await any_account(database):
            return None
        return await setup_account(database, FIRST_ACCOUNT, None)
