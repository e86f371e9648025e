"""Sessions of legs that do what a test wants of them."""

from twoleg.sip_io import Session


class Scripted(Session):
    """Goes on as it was agreed on, but for what the test gives as functions, by their names."""

    def __init__(self, **answers):
        self.__dict__.update(answers)
