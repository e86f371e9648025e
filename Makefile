# Each target is complete by itself on a fresh clone: it makes the environment that it needs.
.PHONY: demo serve test lint bench environment clean

# One service is four processes: without the bytecode that is kept each compiles twoleg anew.
unexport PYTHONDONTWRITEBYTECODE

PEERS := sip-tester baresip-core kamailio kamailio-tls-modules rtpengine-daemon sox curl chromium

demo:
	@scripts/environment runtime
	@.venv/bin/twoleg demo

serve:
	@scripts/environment runtime
	@.venv/bin/twoleg serve

test: lint
	@scripts/debian-packages $(PEERS)
	.venv/bin/pytest -n auto --dist worksteal $(PYTEST_ARGS)

lint:
	@scripts/environment dev
	scripts/lint

bench:
	@scripts/environment dev
	@scripts/debian-packages sip-tester
	scripts/bench

environment:
	@scripts/environment dev

clean:
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis dist build
