"""Secrets are masked text by text."""

from streamer.config.secrets import Redactor
from streamer.run.cleaning import cleaned


def test_a_key_that_is_a_number_or_a_word_of_ours_breaks_nothing() -> None:
    """A key `2027` broke the JSON of any event that held the number; a key `hall` changed a scene
    to ***, and no run could read its journal any more."""
    redactor = Redactor()
    for secret in ("2027", "hall"):
        redactor.add(secret)
    data = {"scene": "hall", "pid": 2027, "bytes": 12027, "error": "key 2027 refused",
            "tried": [{"reason": "hall"}]}  # fmt: skip
    assert cleaned(data, redactor.clean) == {
        "scene": "hall", "pid": 2027, "bytes": 12027, "error": "key *** refused",
        "tried": [{"reason": "***"}],
    }  # fmt: skip
