"""The embedded server of a new data directory."""

import psycopg
import pytest

from twoleg.store import EmbeddedServer
from twoleg.store.embedded import SPARE_SEGMENTS

SPARE = "SELECT count(*) FROM pg_ls_waldir() WHERE name > pg_walfile_name(pg_current_wal_lsn())"


@pytest.mark.process
def test_the_first_calls_wait_for_no_new_segment_of_the_log(tmp_path):
    with (
        EmbeddedServer(tmp_path / "data", settings={"fsync": "off"}) as server,
        psycopg.connect(server.url) as connection,
    ):
        [(spare,)] = connection.execute(SPARE).fetchall()
    assert spare == SPARE_SEGMENTS
