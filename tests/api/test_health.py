"""Liveness, readiness and what Prometheus reads."""

import re

from twoleg.events import Wanted


async def test_the_process_lives_whatever_the_database_does(anonymous):
    for path in ("/health", "/api/v1/health"):
        reply = await anonymous.get(path)
        assert (reply.status_code, reply.json()) == (200, {"status": "ok"})


async def test_calls_can_be_placed_once_an_engine_beats(anonymous, execute):
    reply = await anonymous.get("/health/ready")
    assert reply.status_code == 503
    assert reply.json() == {"status": "unavailable", "database": "ok", "engines": 0}
    await execute(
        "INSERT INTO engines (name, heartbeat_at, draining) VALUES ('one', now(), false),"
        " ('leaving', now(), true), ('dead', now() - interval '1 minute', false)"
    )
    reply = await anonymous.get("/health/ready")
    assert reply.status_code == 200
    assert reply.json() == {"status": "ok", "database": "ok", "engines": 1}


async def test_requests_are_counted_by_method_and_status(anonymous, client):
    await client.get("/api/v1/users")
    await anonymous.get("/api/v1/users")
    await anonymous.request("BREW", "/api/v1/users")
    reply = await anonymous.get("/metrics")
    assert reply.headers["Content-Type"].startswith("text/plain")
    for line in (
        'twoleg_http_requests_total{method="GET",status="200"} 1.0',
        'twoleg_http_requests_total{method="GET",status="401"} 1.0',
        'twoleg_http_requests_total{method="other",status="405"} 1.0',
        "twoleg_http_request_seconds_count 3.0",
    ):
        assert line in reply.text


async def test_what_the_living_engines_measured_is_read_from_their_heartbeats(anonymous, execute):
    figures = (
        '{"gauges": {"calls_running": 3}, "counters": {"calls_placed": 40},'
        ' "outcomes": {"connected": 30, "contact_busy": 7}, "sip": {"sent": 512}}'
    )
    await execute(
        "INSERT INTO engines (name, heartbeat_at, gone, figures) VALUES"
        f" ('one', now(), false, '{figures}'), ('ended', now(), true, '{figures}'),"
        f" ('dead', now() - interval '1 minute', false, '{figures}'),"
        " ('older', now(), false, '{}')"
    )
    text = (await anonymous.get("/metrics")).text
    for line in (
        'twoleg_engine_calls_running{engine="1",host="one"} 3.0',
        'twoleg_engine_calls_placed_total{engine="1",host="one"} 40.0',
        'twoleg_engine_calls_ended_total{engine="1",host="one",outcome="connected"} 30.0',
        'twoleg_engine_sip_total{counter="sent",engine="1",host="one"} 512.0',
        'twoleg_engine_draining{engine="4",host="older"} 0.0',
    ):
        assert line in text
    assert 'ended"}' not in text
    assert "dead" not in text


async def test_what_waits_to_be_sent_is_counted_with_the_age_of_the_oldest(
    anonymous, execute, account
):
    await execute(
        "INSERT INTO webhook_deliveries (account_id, receiver_id, webhook_id, type, message_id,"
        " state, attempts, next_attempt_at) SELECT r.account_id, r.id, r.webhook_id, 'call.ended',"
        " 'm', state, attempts, now() - age FROM webhook_receivers r, (VALUES"
        " ('pending', 0, interval '90 seconds'), ('pending', 3, '1 hour'), ('failed', 0, '1 day'))"
        " AS v(state, attempts, age)"
    )
    text = (await anonymous.get("/metrics")).text
    assert "twoleg_webhook_deliveries_pending 2.0" in text
    [lag] = re.findall(r"^twoleg_webhook_deliveries_lag_seconds (\S+)$", text, re.MULTILINE)
    assert 90 <= float(lag) < 3600


async def test_attempts_are_counted_by_what_came_of_them(anonymous, execute):
    text = (await anonymous.get("/metrics")).text
    assert 'twoleg_webhook_attempts_total{outcome="delivered"} 0.0' in text
    await execute("INSERT INTO webhook_totals VALUES ('delivered', 7), ('retried', 2)")
    text = (await anonymous.get("/metrics")).text
    assert 'twoleg_webhook_attempts_total{outcome="delivered"} 7.0' in text
    assert 'twoleg_webhook_attempts_total{outcome="retried"} 2.0' in text


async def test_open_streams_are_counted(anonymous, app, account):
    wanted = Wanted(account.id)
    with app.state.event_stream.subscribe(wanted, None):
        assert "twoleg_event_streams 1.0" in (await anonymous.get("/metrics")).text
    assert "twoleg_event_streams 0.0" in (await anonymous.get("/metrics")).text


async def test_what_prometheus_reads_tells_of_no_account(client, anonymous, account):
    await client.get(f"/api/v1/users?api_token={account.token}")
    text = (await anonymous.get("/metrics")).text
    assert account.token not in text
    assert "users" not in text
