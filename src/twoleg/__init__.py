"""twoleg places two-legged calls: rings an agent, rings a contact, joins the two."""

__version__ = "0.1.0"
