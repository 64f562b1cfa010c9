"""Made signals: what the words mean, in samples, and what does not tell them."""

from dataclasses import replace

import numpy as np
import pytest

from attar.core.errors import InputError
from attar.core.motif import Motif
from attar.core.rule import Path
from attar.core.scene import Scene
from attar.domains.waveforms.control import local_energy
from attar.domains.waveforms.domain import Waveforms
from attar.domains.waveforms.perturb import SignalMaker
from attar.domains.waveforms.signal import BANDS, LASTS, LOUDNESS, THRESHOLD, Event, Recording
from attar.domains.waveforms.truth import FINDER, describe, read_motif, read_rule

RATE, SAMPLES = 128.0, 256
QUIET = Recording(grid=(SAMPLES,), seed=1, rate=RATE)


def event(kind: str = "bump", begin: int = 64, **fields: object) -> Event:
    given = {
        "direction": "" if kind == "burst" else "up", "length": 32, "amplitude": 1.0, "phase": 0.0,
        "frequency": 16.0 if kind == "burst" else 0.0,
    }  # fmt: skip
    return Event(grid=(SAMPLES,), corner=(begin,), kind=kind, rate=RATE, **(given | fields))  # type: ignore[arg-type]


def drawn(one: Event) -> np.ndarray:
    canvas = np.zeros((1, one.length))
    one.draw(canvas)
    return canvas[0]


def periods(values: np.ndarray) -> float:
    """Half the sign changes."""
    return float((np.diff(np.sign(values)) != 0).sum() / 2)


# --- events ---


def test_bumps_and_steps_go_up_or_down() -> None:
    for kind in ("bump", "step"):
        up, down = (drawn(event(kind, direction=direction)) for direction in ("up", "down"))
        np.testing.assert_array_equal(up, -down)
        assert (up > THRESHOLD).all()
    bump, step = drawn(event("bump")), drawn(event("step"))
    assert 14 <= bump.argmax() <= 17
    np.testing.assert_allclose(bump, bump[::-1])
    assert step.argmax() == 0
    assert (np.diff(step) < 0).all()


def test_a_burst_has_its_frequency_and_a_chirp_goes_through_many() -> None:
    for frequency in (8.0, 16.0, 32.0):
        burst = event("burst", frequency=frequency, length=64)
        spectrum = np.abs(np.fft.rfft(drawn(burst), 1024))
        assert np.fft.rfftfreq(1024, 1 / RATE)[spectrum.argmax()] == pytest.approx(frequency, abs=1)
    up, down = (drawn(event("chirp", direction=direction, length=64, phase=0.3)) for direction in ("up", "down"))
    assert periods(up) == pytest.approx(periods(down), abs=1) == pytest.approx(10, abs=1)  # half a second at 20 Hz
    assert periods(up[32:]) > 2 * periods(up[:32]) > 0
    assert periods(down[:32]) > 2 * periods(down[32:]) > 0


def test_every_sample_of_an_event_is_above_the_threshold_in_its_envelope() -> None:
    generator, maker = np.random.default_rng(0), SignalMaker()
    for _ in range(400):
        one = maker.thing(generator)
        assert (one.amplitude * LOUDNESS[one.kind] * one.envelope > THRESHOLD).all()
        assert LASTS[0] * RATE - 1 <= one.length <= LASTS[1] * RATE + 1
        assert (one.kind == "burst") == (one.direction == "") == (one.frequency > 0)


def test_loudness_tells_no_kind() -> None:
    generator, maker = np.random.default_rng(0), SignalMaker()
    strength: dict[str, list[float]] = {kind: [] for kind in LOUDNESS}
    for _ in range(3000):
        one = maker.thing(generator)
        record = np.zeros(SAMPLES)
        record[: one.length] = drawn(replace(one, amplitude=1.0))
        strength[one.kind].append(record.var())
    means = [np.mean(values) for values in strength.values()]
    assert max(means) < 1.1 * min(means)


# --- motifs ---


def test_a_window_holds_the_whole_event_and_a_band_its_frequency() -> None:
    burst = event("burst", begin=64, length=33)  # from 0.5 to 0.75 s
    assert burst.seconds == (0.5, 0.75)
    signal = Scene(QUIET, (burst, event("chirp", begin=128)))

    def found(text: str) -> list[frozenset[int]]:
        return [match.parts for match in FINDER.find(Motif(text), signal)]

    parts = frozenset(range(64, 97))
    for text in (
        "burst",
        "burst 16..20",
        "burst 12..16",
        "burst @ 0.5..0.75",
        "burst 8..24 @ 0..1",
        "burst 12..20@0..2",
    ):
        assert found(text) == [parts], text
    for text in ("burst 16.1..20", "burst 8..15.9", "burst @ 0.51..1", "burst @ 0..0.74", "burst 8..15 @ 0..1"):
        assert found(text) == [], text
    assert found("up chirp @ 1..2") == found("up") == [frozenset(range(128, 160))]


def test_a_path_is_in_order_and_over_silence() -> None:
    first, middle, last = event("bump", 20), event("chirp", 60), event("step", 100)  # of 32 samples each

    def joined(one: str, other: str, shortest: int, longest: int, *things: Event) -> bool:
        return bool(FINDER.find_paths(Path(Motif(one), Motif(other), shortest, longest), Scene(QUIET, things)))

    assert joined("bump", "step", 48, 48, last, first)
    assert not joined("bump", "step", 49, 60, last, first)
    assert not joined("bump", "step", 0, 47, last, first)
    assert not joined("step", "bump", 0, 200, last, first)
    assert not joined("bump", "step", 48, 48, first, middle, last)  # no silence
    assert joined("bump", "chirp", 8, 8, first, middle, last)
    assert joined("up", "up", 8, 8, first, middle, last)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('has("8..12")', '"8..12" names no event: write such as "chirp up @ 0.2..0.6"'),
        ('has("@ 0..1")', "names no event"),
        ('has("burst up")', '"burst up" gives a burst a direction, and it has none'),
        ('has("chirp 8..12")', "gives a band to what is no burst"),
        ('has("burst 12..8")', 'has "12..8" where from..to in Hz was expected'),
        ('has("burst 8-12")', 'has "8-12" where from..to in Hz was expected'),
        ('has("chirp @ 0.5")', 'has "0.5" where from..to in seconds was expected'),
        ('has("chirp @")', 'has "" where from..to in seconds'),
        ('has("burst 8..12 up")', 'has "8..12 up" where from..to in Hz'),
        ('has("burst 50..60")', "asks for what no burst has: they have 8 to 40 Hz"),
        ('has("chirp chirp")', "says two words of event"),
        ('has("bump left")', '"left" is no word for this: write event (bump, chirp, burst, step)'),
    ],
)
def test_a_motif_that_cannot_be_read_is_refused(text: str, said: str) -> None:
    with pytest.raises(InputError) as refused:
        read_rule(text)
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


def test_an_event_is_described_with_its_band_and_half() -> None:
    assert set(describe(event("burst", 64))) == {"burst", "burst 14..20", "burst @ 0..1", "burst 14..20 @ 0..1"}
    assert set(describe(event("bump", 112))) == {"bump", "up", "bump up"}  # it lies across the halves
    assert list(describe(QUIET)) == []


def test_a_described_event_is_drawn_as_described() -> None:
    generator, maker = np.random.default_rng(0), SignalMaker()
    slow = [maker.thing(generator, read_motif("burst 4..12")) for _ in range(100)]
    assert {one.kind for one in slow} == {"burst"}
    assert all(BANDS[0] <= one.frequency <= 12 for one in slow)
    down = [maker.thing(generator, read_motif("down")) for _ in range(100)]
    assert {one.kind for one in down} == {"bump", "chirp", "step"}
    assert {one.direction for one in down} == {"down"}


@pytest.mark.parametrize(
    ("sizes", "said"),
    [({"rate": 99.0}, "rate is 99.0, expected 100 Hz"), ({"rate": float("nan")}, "rate is nan"),
     ({"samples": 60}, "samples is 60, expected 64 or more at 128 Hz")],
)  # fmt: skip
def test_a_recording_that_holds_no_event_is_refused(sizes: dict[str, float], said: str) -> None:
    with pytest.raises(InputError, match=f"^{said}"):
        _ = Waveforms(**sizes).planter  # type: ignore[arg-type]


def test_time_is_in_seconds_at_any_rate() -> None:
    domain = Waveforms(samples=1024, rate=512.0)
    rule = domain.read_rule('has("burst 8..12 @ 0..1")')
    assert domain.planter.plant(Scene(domain.planter.maker.ground(np.random.default_rng(0))), Motif("chirp"),
                                np.random.default_rng(1)).things[0].length > 70  # type: ignore[union-attr]  # fmt: skip
    signal = Scene(
        replace(QUIET, grid=(1024,), rate=512.0), (replace(event("burst", 128, frequency=10.0), rate=512.0),)
    )
    assert [match.parts for match in domain.finder.find(rule.motif, signal)] == [frozenset(range(128, 160))]  # type: ignore[attr-defined]


# --- the control ---


def test_energy_is_local_and_knows_neither_offset_nor_sign() -> None:
    class Flat(Scene):
        array = np.zeros((1, SAMPLES), dtype=np.float32)

    Flat.array[0, 100] = 1
    energy = local_energy(Flat(QUIET))
    assert set(np.argsort(-energy)[:9]) == set(range(96, 105))
    Flat.array[0] = -Flat.array[0] + 4
    np.testing.assert_allclose(local_energy(Flat(QUIET)), energy, atol=1e-9)
    Flat.array[0] = np.linspace(0, 1, SAMPLES)
    np.testing.assert_allclose(local_energy(Flat(QUIET))[40:-40], 0, atol=1e-9)  # slow drift has none
