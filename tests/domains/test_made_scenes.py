"""What made pictures, signals and volumes share: masks that are exact, and a truth that is literal enumeration."""

import pickle
from dataclasses import replace
from itertools import combinations, product
from typing import Any

import numpy as np
import pytest

from attar.core.errors import InputError
from attar.core.motif import Motif
from attar.core.planting import counterfactuals, generate
from attar.core.rule import AtLeast, Match, Path, explanations, holds
from attar.core.scene import Scene, Thing, box_gap, gap, room
from attar.domains.images import picture
from attar.domains.images.domain import Images
from attar.domains.volumes import volume
from attar.domains.volumes.domain import Volumes
from attar.domains.waveforms import signal
from attar.domains.waveforms.domain import Waveforms
from reference.scene_enumeration import Cells, between, called, differing, joined, middle, unions

SCENES: dict[str, Any] = {"images": Images(), "waveforms": Waveforms(), "volumes": Volumes()}
THRESHOLDS = {"images": picture.THRESHOLD, "waveforms": signal.THRESHOLD, "volumes": volume.THRESHOLD}
ENDS = {"images": ("red", "circle"), "waveforms": ("up", "chirp"), "volumes": ("bright", "rod")}
PHASES = 8

of_each = pytest.mark.parametrize("name", SCENES)


def scene(name: str, seed: int = 0, things: int = 99) -> Scene:
    """A scene filled with things at random, or with so many of them."""
    domain, generator = SCENES[name], np.random.default_rng([seed, 61])
    made = domain.planter.background(generator)
    made = replace(made, wanted=min(made.wanted, things))
    while (more := domain.planter.distract(made, generator)) is not None:
        made = more
    return made


def covered(name: str, made: Scene, thing: Thing) -> Cells:
    """The cells in which it makes a difference; of an oscillation, at one of several phases."""
    phases = [getattr(thing, "phase", 0) + k * np.pi / PHASES for k in range(PHASES)]
    turned = [replace(thing, phase=phase) for phase in phases] if name == "waveforms" else [thing]
    without = made.without(thing)
    return frozenset().union(*(differing(without.with_(one).array, without.array, THRESHOLDS[name]) for one in turned))


def facts(name: str, made: Scene, thing: Any, cells: Cells) -> set[str]:
    """What may be said of a thing, by its fields and the cells in which it is seen."""
    grid = made.ground.grid
    at = [place / side for place, side in zip(middle(cells, grid), grid, strict=True)]
    if name == "images":
        outer = {w for w, there in zip(("top", "left"), at, strict=True) if there < 1 / 3}
        outer |= {w for w, there in zip(("bottom", "right"), at, strict=True) if there >= 2 / 3}
        return {thing.shape, thing.colour, thing.texture, thing.size} | (outer or {"centre"})
    if name == "volumes":
        pairs = zip(at, ("front", "top", "left"), ("back", "bottom", "right"), strict=True)
        return {thing.body, thing.tone, thing.size} | {first if there < 0.5 else last for there, first, last in pairs}
    return {thing.kind, thing.direction}


def literal_gap(name: str, made: Scene, masks: list[Cells]) -> Any:
    """Cells between two things; in a signal only from left to right, and over silence."""

    def silent(one: Cells, other: Cells) -> int:
        inside = set(range(max(one) + 1, min(other)))
        clear = max(one) < min(other) and not any(mask & inside for mask in masks)
        return len(inside) if clear else 10**6

    return silent if name == "waveforms" else lambda one, other: between(one, other, made.ground.grid)


# --- scenes ---


@of_each
def test_a_thing_covers_where_it_makes_a_difference_and_nothing_changes_elsewhere(name: str) -> None:
    for seed in range(12):
        made = scene(name, seed)
        assert len(made.things) >= 3
        for thing in made.things:
            assert thing.parts == covered(name, made, thing)
            assert differing(made.array, made.without(thing).array) <= thing.parts
            assert thing.parts
        assert made.bare == frozenset(range(made.size)) - set().union(*(thing.parts for thing in made.things))


@of_each
def test_things_keep_a_cell_from_one_another_and_from_the_border(name: str) -> None:
    for seed in range(12):
        made = scene(name, seed)
        for one, other in combinations(made.things, 2):
            assert between(one.parts, other.parts, made.ground.grid) >= 1
        for thing in made.things:
            assert (thing.cells > 0).all()
            assert (thing.cells < np.array(made.ground.grid) - 1).all()
        assert 0 in made.bare


@of_each
def test_room_is_every_corner_where_a_box_is_clear(name: str) -> None:
    for seed in range(4):
        made = scene(name, seed, things=3)
        box = made.things[0].stamp.shape
        taken = np.zeros(made.ground.grid, dtype=bool)
        for thing in made.things:
            taken[thing.box] = True
        free = []
        for corner in product(*(range(side) for side in made.ground.grid)):
            inside = all(1 <= c < side - n for c, n, side in zip(corner, box, made.ground.grid, strict=True))
            around = tuple(slice(c - 1, c + n + 1) for c, n in zip(corner, box, strict=True))
            if inside and not taken[around].any():
                free.append(corner)
        assert sorted(map(tuple, room(made, box).tolist())) == free
    assert len(room(made, tuple(side for side in made.ground.grid))) == 0


@of_each
def test_gaps_are_counted_between_nearest_cells(name: str) -> None:
    for seed in range(6):
        made = scene(name, seed)
        for one, other in combinations(made.things, 2):
            found = gap(one, other)
            assert found == gap(other, one) == between(one.parts, other.parts, made.ground.grid)
            assert box_gap(one, np.array([other.corner]), other.stamp.shape)[0] <= found


@of_each
def test_a_scene_is_a_value(name: str) -> None:
    made, again = scene(name), scene(name)
    assert made == again
    assert hash(made) == hash(again)
    np.testing.assert_array_equal(made.array, again.array)
    assert made != scene(name, seed=1)
    with pytest.raises(ValueError, match="read-only"):
        made.array[:] = 0
    copied = pickle.loads(pickle.dumps(made))
    assert copied == made
    assert "array" in made.__dict__
    assert "array" not in copied.__dict__


# --- truth ---


@of_each
def test_truth_is_literal_enumeration(name: str) -> None:
    """Motifs of every word and pair of words, counted; paths of several lengths; every mask."""
    domain, held, several = SCENES[name], 0, 0
    first, last = ENDS[name]
    for seed in range(14):
        made = scene(name, seed)
        masks = [covered(name, made, thing) for thing in made.things]
        said = [facts(name, made, thing, mask) for thing, mask in zip(made.things, masks, strict=True)]
        words = sorted(set().union(*said) - {""})
        pairs = [f"{b} {a}" for fact in said for a, b in combinations(sorted(fact - {""}), 2)]
        for text in [*words, *pairs[::3]]:
            try:
                found = domain.finder.find(Motif(text), made)
            except InputError:
                assert {"left", "right", "top", "bottom"} >= set(text.split())  # of one kind in a picture
                continue
            expected = called(text.split(), said, masks)
            assert [match.parts for match in found] == expected
            for least in (1, 2):
                shown = explanations(AtLeast(Motif(text), least), domain.finder, made)
                assert sorted(map(sorted, shown.alternatives)) == sorted(map(sorted, unions(expected, least)))
                several += len(shown.alternatives) > 1
        near = literal_gap(name, made, masks)
        for shortest, longest in ((0, 2), (1, 6), (3, 200)):
            path = Path(Motif(first, "A"), Motif(last), shortest, longest)
            expected = joined(called([first], said, masks), called([last], said, masks), shortest, longest, near)
            found = domain.finder.find_paths(path, made)
            assert {match.parts for match in found} == expected
            assert len(found) == len(expected)
            assert all(match.named["A"] < match.parts for match in found)
            held += bool(expected)
    assert held >= 5
    assert several >= 20


@of_each
@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('has("{0}" grow "{0}")', "found whole: leave out grow"),
        ('path("{0}", "{1}", 1, 2, "{0}")', "between two things is no thing: leave out"),
        ('has("purple")', '"purple" is no word for this: write '),
        ('has("{0}s")', "is no word for this"),
        ('has("{1} {1}")', "says two words of "),
    ],
)
def test_what_a_domain_cannot_mean_is_refused_in_a_line(name: str, text: str, said: str) -> None:
    with pytest.raises(InputError) as refused:
        SCENES[name].read_rule(text.format(*ENDS[name]))
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


# --- examples ---


@of_each
def test_the_number_of_things_is_not_the_rules_but_the_backgrounds(name: str) -> None:
    domain = SCENES[name]
    for text in domain.rules.values():
        rule = domain.read_rule(text)
        examples, labels = generate(rule, domain.finder, domain.planter, 100, seed=2)
        short = [len(example.things) != example.wanted for example in examples]
        assert np.mean(short) <= 0.1, text
        assert {example.wanted for example in examples} == set(range(domain.fewest, domain.most + 1))
        assert [holds(rule, domain.finder, example) for example in examples] == (labels > 0.5).tolist()


@of_each
def test_the_ends_of_a_path_may_be_there_without_being_joined(name: str) -> None:
    domain = SCENES[name]
    path = next(rule for rule in map(domain.read_rule, domain.rules) if isinstance(rule, Path))
    examples, labels = generate(path, domain.finder, domain.planter, 300, seed=4)
    both = [all(domain.finder.find(end, e) for end in (path.first, path.last)) for e in examples]
    near_misses = np.mean(np.array(both)[labels < 0.5])
    assert near_misses > 0.2  # so that their presence alone has an AUROC of less than .9
    assert np.mean(np.array(both)[labels > 0.5]) == 1


@of_each
def test_planting_adds_and_removing_takes_one_thing(name: str) -> None:
    domain, generator = SCENES[name], np.random.default_rng(3)
    first, last = (Motif(text) for text in ENDS[name])
    path = Path(first, last, 1, 3)
    planted = 0
    for seed in range(12):
        made = scene(name, seed, things=2)
        for what in (first, last, path):
            edited = domain.planter.plant(made, what, generator)
            if edited is None:
                continue
            planted += 1
            assert edited.things[: len(made.things)] == made.things
            assert 1 <= len(edited.things) - len(made.things) <= (2 if what is path else 1)
            find = domain.finder.find_paths if isinstance(what, Path) else domain.finder.find
            matches = find(what, edited)
            assert {m.parts for m in matches} > {m.parts for m in find(what, made)}
            less = domain.planter.remove(edited, matches[-1], generator)
            assert len(less.things) == len(edited.things) - 1
            assert differing(edited.array, less.array) <= matches[-1].parts
            assert domain.planter.remove(less, matches[-1], generator) is less  # it is gone already
    assert planted >= 24


@of_each
def test_what_is_planted_is_put_where_it_is_described_to_be(name: str) -> None:
    places = {"images": ["left", "bottom", "centre"], "waveforms": ["bump @ 0..0.7", "burst @ 1.4..2"],
              "volumes": ["left back", "top", "right front bottom"]}  # fmt: skip
    domain, planted = SCENES[name], 0
    for seed, text in product(range(6), places[name]):
        made = scene(name, seed, things=1)
        edited = domain.planter.plant(made, Motif(text), np.random.default_rng(seed))
        if edited is not None:
            assert edited.things[-1].parts in {match.parts for match in domain.finder.find(Motif(text), edited)}
            planted += 1
    assert planted >= 4 * len(places[name])


@of_each
def test_a_path_ends_where_it_is_described_to_end(name: str) -> None:
    place = {"images": "left", "waveforms": "@ 1..2", "volumes": "left"}[name]
    domain, planted = SCENES[name], 0
    path = Path(Motif(ENDS[name][0]), Motif(f"{ENDS[name][1]} {place}"), 1, 5)
    for seed in range(30):
        edited = domain.planter.plant(scene(name, seed, things=1), path, np.random.default_rng(seed))
        if edited is not None:
            assert any(edited.things[-1].parts <= match.parts for match in domain.finder.find_paths(path, edited))
            planted += 1
    assert planted >= 8


@of_each
def test_a_counterfactual_takes_out_what_must_go_and_no_more(name: str) -> None:
    """Of three matches of which two are asked for, any two must go; putting one of them back makes the rule true."""
    domain, generator = SCENES[name], np.random.default_rng(5)
    motif = Motif(ENDS[name][1])
    made = scene(name, things=0)
    made = replace(made, things=())
    while len(domain.finder.find(motif, made)) < 3:
        made = domain.planter.plant(made, motif, generator) or made
    rule = AtLeast(motif, 2)
    found = counterfactuals(rule, domain.finder, domain.planter, made)
    assert len(found) == 3
    assert all(len(one.removed) == 2 and len(one.example.things) == 1 for one in found)
    for one in found:
        for match in one.removed:
            (thing,) = (t for t in made.things if t.parts == match.parts)
            assert holds(rule, domain.finder, one.example.with_(thing))


@of_each
def test_a_match_of_no_thing_takes_nothing_out(name: str) -> None:
    made, domain = scene(name), SCENES[name]
    for part in (0, max(made.bare)) if name != "images" else (max(made.bare),):  # a picture's 0 is its backdrop
        assert domain.planter.remove(made, Match(frozenset({part})), np.random.default_rng(0)) is made


@of_each
@pytest.mark.parametrize(("fewest", "most"), [(0, 3), (4, 3)])
def test_a_scene_has_things(name: str, fewest: int, most: int) -> None:
    with pytest.raises(InputError, match=f"1 <= fewest <= most things, got {fewest} and {most}"):
        _ = replace(SCENES[name], fewest=fewest, most=most).planter


@of_each
def test_a_path_can_join_what_is_there(name: str) -> None:
    """Half of the time the first is one that is there, so that scenes do not fill up."""
    domain, generator = SCENES[name], np.random.default_rng(8)
    first, last = (Motif(text) for text in ENDS[name])
    made = None
    while made is None:
        made = domain.planter.plant(replace(scene(name, things=0), things=()), first, generator)
    grown = [domain.planter.plant(made, Path(first, last, 1, 4), generator) for _ in range(60)]
    added = {len(one.things) - 1 for one in grown if one is not None}
    assert added == {1, 2}


# --- edits ---


@of_each
def test_an_editor_finds_what_a_scene_shows_without_being_told(name: str) -> None:
    domain = SCENES[name]
    for seed in range(4):
        made = scene(name, seed)
        groups = domain.editor.groups(made)
        assert len({(group.name, group.parts) for group in groups}) == len(groups)
        for thing in made.things:
            said = facts(name, made, thing, thing.parts) - {""}
            named = {frozenset(g.name.split()) for g in groups if g.parts == thing.parts}
            assert named >= {frozenset({word}) for word in said}
            assert all(words <= said for words in named if not any(word[0] in "@0123456789" for word in words))
        for group in groups:
            assert group.parts in domain.editor.places(made, group.name)


@of_each
def test_an_insertion_changes_only_the_parts_of_what_is_put_on(name: str) -> None:
    domain, generator = SCENES[name], np.random.default_rng(9)
    word, inserted = ENDS[name][0], 0
    for seed in range(8):
        made = scene(name, seed)
        for edited in domain.editor.insert(made, word, generator):
            (new,) = set(domain.editor.places(edited, word)) - set(domain.editor.places(made, word))
            assert differing(edited.array, made.array) <= new
            inserted += 1
            gone = domain.editor.remove(edited, word, generator)
            assert domain.editor.places(gone, word) == []
            assert {t for t in edited.things if t.parts not in domain.editor.places(edited, word)} == set(gone.things)
            break
    assert inserted >= 6
