"""`twoleg db`: the version of the database."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import typer
from psycopg import OperationalError
from sqlalchemy.exc import OperationalError as SqlalchemyOperationalError

from twoleg.cli.exit_codes import ExitCode
from twoleg.cli.groups import group
from twoleg.cli.options import AsJson, DatabaseUrl, DataDir, settings_from
from twoleg.cli.output import print_json
from twoleg.settings import Settings
from twoleg.store import (
    DatabaseUnavailable,
    DataDirectoryInUse,
    EmbeddedServerNotRunning,
    StoreError,
    open_or_join,
    running_url,
    schema,
)

commands = group(no_args_is_help=True, help="Check the database's version; upgrade it.")


@contextlib.contextmanager
def explained() -> Iterator[None]:
    """End the command with 78, or 69 if trying again may help, and say what to mend."""
    try:
        yield
    except DatabaseUnavailable as error:
        typer.echo(f"The database cannot be reached: {error}", err=True)
        raise typer.Exit(ExitCode.UNAVAILABLE) from error
    except StoreError as error:
        typer.echo(" ".join([str(error), *_mend(error)]), err=True)
        raise typer.Exit(ExitCode.CONFIG) from error
    except (OperationalError, SqlalchemyOperationalError) as error:
        cause = getattr(error, "orig", None) or error
        typer.echo(f"The database cannot be reached: {cause}", err=True)
        raise typer.Exit(ExitCode.UNAVAILABLE) from error


def _mend(error: StoreError) -> Iterator[str]:
    """Say what to do about it on this command line, where the error does not say so itself."""
    if isinstance(error, DataDirectoryInUse):
        yield "Stop that process, or name another directory with --data-dir (TWOLEG_DATA_DIR)."
    if isinstance(error, EmbeddedServerNotRunning):
        yield (
            "Start `twoleg serve`, name its directory with --data-dir (TWOLEG_DATA_DIR), or"
            " name a database with --database-url (TWOLEG_DATABASE_URL)."
        )


@contextlib.contextmanager
def open_url(settings: Settings) -> Iterator[str]:
    """Give the URL of the configured database; the embedded one is started where none runs."""
    if settings.database_url is not None:
        yield settings.database_url.get_secret_value()
        return
    with open_or_join(settings.data_dir) as url:
        yield url


def running_database_url(settings: Settings) -> str:
    """Return the URL for a part that runs beside `serve`: configured, or found running.

    Raises EmbeddedServerNotRunning.
    """
    if settings.database_url is not None:
        return settings.database_url.get_secret_value()
    return running_url(settings.data_dir)


@commands.command()
def upgrade(
    database_url: DatabaseUrl = None, data_dir: DataDir = None, as_json: AsJson = False
) -> None:
    """Bring the tables to the version that this twoleg needs."""
    settings = settings_from(database_url=database_url, data_dir=data_dir)
    with explained(), open_url(settings) as url:
        schema.upgrade(url)
        _print_version(schema.check(url), ".", as_json=as_json)


@commands.command()
def check(
    database_url: DatabaseUrl = None, data_dir: DataDir = None, as_json: AsJson = False
) -> None:
    """Say whether the database's version fits; ends with 78 where it does not."""
    settings = settings_from(database_url=database_url, data_dir=data_dir)
    with explained(), open_url(settings) as url:
        _print_version(schema.check(url), ", which fits.", as_json=as_json)


def _print_version(version: str, more: str, *, as_json: bool) -> None:
    if as_json:
        print_json({"version": version})
    else:
        typer.echo(f"The database is at version {version}{more}")
