"""What the end of a relay's child means: who must act."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

from streamer.config.secrets import Redactor
from streamer.domain.errors import Act
from streamer.domain.legs import LegKind
from streamer.media.hub import Hub
from streamer.media.leg import Leg, Outcome
from streamer.media.relay import QUICK_S, REFUSALS_FOR_SURE, Address, Relay
from tests.unit.media.instant import run

KEY = "abcd-1234-wxyz-secret"
ADDRESS = Address(f"rtmp://a.example/live/{KEY}", "rtmp://a.example/live/***")
RESET = ("send", "[Errno 104] Connection reset by peer")


@dataclass
class Ended:
    """A child that has ended with these words."""

    last_words: str = ""
    returncode: int = 1


@dataclass
class Judge:
    """A relay, and how long its try was good for."""

    good_for: float = 0.0
    relay: Relay = field(init=False)

    def judge(self, stage: str, error: str, words: str = "") -> Outcome:
        self.relay._ended = {"stage": stage, "error": error} if stage != "killed" else {}
        leg: Any = type("Leg", (), {"good_for": self.good_for})
        child: Any = Ended(words)
        outcome = self.relay._judge(leg, ADDRESS, child)
        self.relay._count(ADDRESS, self.good_for, spare=False)
        return outcome


async def judge(good_for: float = 0.0) -> Judge:
    async def addresses() -> tuple[Address, ...]:
        return ()

    redactor = Redactor()
    redactor.add(KEY)
    made = Judge(good_for)
    made.relay = Relay(Hub(), addresses, redactor.clean)
    return made


# Stage, what the library's error and its own words were, and who must act.
OUTCOMES = [
    ("open", "[Errno 111] Connection refused", "", Act.WAIT),
    ("open", "[Errno 110] Connection timed out", "", Act.WAIT),
    ("open", "[Errno 113] No route to host", "", Act.WAIT),
    ("open", "[Errno 101] Network is unreachable", "", Act.WAIT),
    ("open", "[Errno 5] Input/output error", "Failed to resolve hostname a.example", Act.WAIT),
    ("open", "[Errno 5] Input/output error", "Cannot read RTMP handshake response", Act.WAIT),
    ("send", "[Errno 32] Broken pipe", "", Act.WAIT),
    ("send", "[Errno 104] Connection reset by peer", "", Act.WAIT),
    ("send", "[Errno 110] Connection timed out", "", Act.WAIT),
    ("input", "the programme ended", "", Act.WAIT),
    ("input", "Invalid data found when processing input", "", Act.WAIT),
    ("killed", "", "", Act.WAIT),
    ("killed", "", "Server error: something before it was killed", Act.WAIT),
    ("open", "Operation not permitted", "Server error: Stream name is not known.", Act.SIGN_IN),
    ("open", "Operation not permitted", "Server error: NetStream.Publish.Denied", Act.SIGN_IN),
    ("open", "Operation not permitted", "Server error: Unauthorized", Act.SIGN_IN),
    ("send", "Operation not permitted", "Server error: NetStream.Publish.BadName", Act.SIGN_IN),
    ("open", "Operation not permitted", "Server error: Already publishing", Act.WAIT),
    ("open", "Operation not permitted", "Server error: stream busy", Act.WAIT),
    ("open", "I/O error", "error:0A000086:SSL routines::certificate verify failed",
     Act.CORRECT_SETTING),
    ("open", "I/O error", "unable to get local issuer certificate", Act.CORRECT_SETTING),
    ("open", "I/O error", "[tls @ 0x5] Peer certificate failed verification", Act.CORRECT_SETTING),
    ("open", "I/O error", "The certificate's owner does not match hostname a.example",
     Act.CORRECT_SETTING),
    ("send", "[Errno 5] Input/output error", "certificate verify failed", Act.WAIT),
]  # fmt: skip


@pytest.mark.parametrize(("stage", "error", "words", "act"), OUTCOMES)
async def test_who_must_act(stage: str, error: str, words: str, act: Act) -> None:
    it = await judge(good_for=30.0)
    outcome = it.judge(stage, error, words)
    assert outcome.act is act, outcome
    assert outcome.reason


async def test_a_reason_never_holds_the_key() -> None:
    it = await judge()
    for stage in ("open", "send", "input", "killed"):
        outcome = it.judge(stage, f"cannot open rtmp://a.example/live/{KEY}", f"{KEY} refused")
        assert KEY not in outcome.reason


async def test_hanging_up_at_once_again_and_again_is_perhaps_a_refused_key() -> None:
    """Three quick hang-ups of a flapping line had given a destination up for good."""
    it = await judge()
    outcomes = [it.judge(*RESET) for _ in range(4)]
    assert [o.act for o in outcomes[: REFUSALS_FOR_SURE - 1]] == [Act.WAIT] * 2
    for outcome in outcomes[REFUSALS_FOR_SURE - 1 :]:
        assert outcome.act is Act.SIGN_IN
        assert outcome.retry
    assert "probably the key is wrong" in outcomes[-1].reason
    it.relay.reset()
    assert it.judge(*RESET).act is Act.WAIT


async def test_silence_is_no_refusal_of_a_key_that_has_delivered() -> None:
    it = await judge(good_for=QUICK_S)
    it.judge(*RESET)
    it.good_for = 0.0
    assert {it.judge(*RESET).act for _ in range(10)} == {Act.WAIT}
    # A new key has proved nothing yet.
    it.relay._proven = {"rtmp://a.example/live/the-key-before"}
    assert [it.judge(*RESET).act for _ in range(3)][-1] is Act.SIGN_IN


async def test_a_server_that_says_that_it_refuses_is_believed() -> None:
    it = await judge(good_for=QUICK_S)
    it.judge(*RESET)
    it.good_for = 0.0
    outcome = it.judge("open", "Operation not permitted", "Server error: Unauthorized")
    assert (outcome.act, outcome.retry) == (Act.SIGN_IN, False)


@pytest.mark.parametrize(
    "between",
    [("open", "[Errno 111] Connection refused"), ("killed", ""), ("input", "the programme ended")],
)  # fmt: skip
async def test_a_server_that_is_away_in_between_is_no_refusal(between: tuple[str, str]) -> None:
    it = await judge()
    acts = [it.judge(*end).act for end in (RESET, RESET, between, RESET, RESET)]
    if between[0] == "killed":  # says nothing about the server, and takes nothing back
        assert acts[:4] == [Act.WAIT, Act.WAIT, Act.WAIT, Act.SIGN_IN]
    else:
        assert acts == [Act.WAIT] * 5


async def test_losses_of_good_connections_are_never_a_refusal() -> None:
    it = await judge(good_for=QUICK_S)
    acts = {it.judge(*RESET).act for _ in range(10)}
    assert acts == {Act.WAIT}


def test_the_backup_is_tried_from_the_second_failure_on() -> None:
    shown: list[str] = []

    async def test() -> None:
        addresses = (
            Address("rtmp://a/live/k", "a"), Address("rtmp://b/live/k", "b", backup=True)
        )  # fmt: skip

        async def both() -> tuple[Address, ...]:
            return addresses

        class Sends(Relay):
            async def _send(self, leg: Leg, address: Address) -> Outcome:
                shown.append(leg.target + leg.detail)
                return Outcome("lost")

        relay = Sends(Hub(), both, str)
        leg = Leg("relay:x", LegKind.RELAY, relay.attempt)
        for _ in range(6):
            await relay.attempt(leg)

    run(test())
    assert shown == ["a", "a", "bbackup", "bbackup", "a", "a"]


@pytest.mark.parametrize(
    ("address", "options"),
    [
        (Address("rtmp://a/live/k", "a"), {}),
        (Address("rtmps://a/live/k", "a"),
         {"tls_verify": "1", "ca_file": "/etc/ssl/certs/ca-certificates.crt"}),
        (Address("rtmps://a/live/k", "a", ca_file="/x.pem"),
         {"tls_verify": "1", "ca_file": "/x.pem"}),
    ],
)  # fmt: skip
async def test_a_certificate_is_always_checked(address: Address, options: dict[str, str]) -> None:
    found = (await judge()).relay._options(address)
    assert found.pop("rw_timeout") == "7000000"
    assert found.pop("flvflags")
    assert found == options


# Sent and taken as they were measured, every half second, at a server that reads and at one that
# was frozen three seconds after it had accepted (bytes).
READS = [(110_000, 180_000), (215_000, 280_000), (330_000, 400_000), (330_000, 400_000)]
FROZEN = [(440_000, 404_600), (545_000, 411_100), (650_000, 415_900), (745_000, 421_600)]


async def test_a_window_that_creeps_is_no_delivery() -> None:
    relay = (await judge()).relay
    assert [relay._takes(*said) for said in READS] == [True] * 4
    assert [relay._takes(*said) for said in FROZEN] == [False] * 4
    assert relay._takes(800_000, 800_000)


async def test_half_the_speed_is_delivery() -> None:
    relay = (await judge()).relay
    assert all(relay._takes(n * 100_000, n * 50_000) for n in range(1, 20))
    assert relay._takes(5_000_000, None)
