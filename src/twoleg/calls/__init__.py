"""Calls: taken in, placed, told as a story, recorded, recovered.

`engine.Engine` places them; `admission`, `hang_up` and `records` are what the API needs. Nothing is
imported here, so that the API carries no SIP and no media.
"""
