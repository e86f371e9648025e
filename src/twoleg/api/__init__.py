"""The HTTP API: routes, schemas, errors, authentication."""

from twoleg.api.app import create_app

__all__ = ["create_app"]
