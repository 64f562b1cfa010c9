"""An attribution shows itself: the numbers it holds, the largest first, in text and in HTML that fetches nothing."""

import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest
import torch
from torch import Tensor

from attar import attribute
from attar.core.attribution import Attribution
from attar.core.error import Error, exact
from attar.core.heat import AGAINST, SUPPORTS, channels, coloured
from attar.core.parts import Parts
from attar.core.show import EXAMPLES, PARTS, leading
from attar.core.show_html import heat_maps
from attar.methods.occlusion import Occlusion
from models import MODELS, case


def found_of(values: Tensor, **more: object) -> Attribution:
    """An attribution of one tensor."""
    count = len(values)
    plain = Attribution(
        parts=Parts({"input": values}),
        owners={"input": torch.arange(count)},
        output=values.flatten(1).sum(1) + 1,
        error=exact(count),
        evaluations=torch.full((count,), 3),
        method="Plain()",
        target="Logit(index=2)",
        single=True,
    )
    return replace(plain, **more)


def literal_ranking(found: Attribution, example: int) -> list[tuple[str, float]]:
    """One entry, or one row, after another."""
    named = []
    for part, array in found.parts.items():
        rows = [r for r in range(len(array)) if int(found.owners[part][r]) == example]
        for k, r in enumerate(rows):
            if found.single:
                for index in np.ndindex(tuple(array.shape[1:])):
                    flat = int(np.ravel_multi_index(index, tuple(array.shape[1:]))) if index else 0
                    name = found.entry_names[flat] if found.entry_names else "[" + ", ".join(map(str, index)) + "]"
                    named.append((name, float(array[(r, *index)])))
            else:
                name = found.names[part][r] if part in found.names else f"{part} {k}"
                named.append((name, float(array[r].sum())))
    return sorted(named, key=lambda pair: -abs(pair[1]))


class Strict(HTMLParser):
    """Counts tags and refuses what would run or be fetched."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag not in ("script", "iframe", "link", "object")
        for name, value in attrs:
            assert not name.startswith("on")
            assert name not in ("src", "href") or (value or "").startswith("data:image/png;base64,")
        self.tags.append(tag)
        if tag != "img":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def parsed(html: str) -> Strict:
    page = Strict()
    page.feed(html)
    assert not page.open
    return page


@pytest.mark.parametrize("model_name", MODELS)
def test_every_kind_of_input_is_ranked_and_shown(model_name: str) -> None:
    given = case(model_name)
    found = attribute(given.model, given.inputs, Occlusion())
    for example in range(len(found)):
        expected = literal_ranking(found, example)
        assert [name for name, _ in found.ranked(example)] == [name for name, _ in expected]
        torch.testing.assert_close(
            torch.tensor([value for _, value in found.ranked(example)]), torch.tensor([value for _, value in expected])
        )
        assert found.ranked(example, limit=2) == found.ranked(example)[:2]
    text = str(found)
    assert "Occlusion(" in text
    assert found.error.how.split()[-1] in text
    assert parsed(found._repr_html_()).tags.count("table") == min(len(found), EXAMPLES)
    assert "\n" not in repr(found)


def test_one_example_is_a_list_of_its_leading_parts_with_signed_bars() -> None:
    found = found_of(torch.tensor([[0.5, -1.0, 0.0]]), entry_names=("age", "dose", "sex"))
    lines = str(found).splitlines()
    assert lines[:2] == ["Plain() of Logit(index=2)", "output +0.5 · error 0 · evaluations 3"]
    assert [line.split()[:2] for line in lines[2:5]] == [["dose", "-1"], ["age", "+0.5"], ["sex", "0"]]
    left = [line.index("│") for line in lines[2:5]]
    assert len(set(left)) == 1
    assert [line[: left[0]].count("█") for line in lines[2:5]] == [12, 0, 0]
    assert [line[left[0] :].count("█") for line in lines[2:5]] == [0, 6, 0]


def test_several_examples_are_a_line_each_and_the_rest_is_counted() -> None:
    values = torch.arange(14.0).reshape(7, 2)
    lines = str(found_of(values)).splitlines()
    assert lines[1].split() == ["example", "output", "error", "evaluations", "counts", "most"]
    assert len(lines) == 2 + EXAMPLES + 2
    assert lines[2].endswith("[1] +1, [0] 0")
    assert lines[2 + EXAMPLES] == "and 2 more"


def test_what_is_known_has_a_column_and_what_is_not_has_none() -> None:
    plain, complete = found_of(torch.ones(2, 2)), found_of(torch.ones(2, 2), reference=torch.tensor([1.0, 0.5]))
    assert "left over" not in str(plain)
    assert "+5.0e-01" in str(complete).splitlines()[3]


def test_an_example_whose_budget_ended_is_starred_and_the_star_explained() -> None:
    error = Error(torch.tensor([0.1, 0.2]), "a guess", torch.tensor([True, False]))
    for said in (str(found_of(torch.ones(2, 2), error=error)), found_of(torch.ones(2, 2), error=error)._repr_html_()):
        assert "0.2*" in said
        assert "0.1*" not in said
        assert "in 1 of 2 examples the budget ended" in said
    assert "budget" not in str(found_of(torch.ones(2, 2)))


def test_standard_errors_stand_beside_the_values_they_belong_to() -> None:
    spread = Parts({"input": torch.tensor([[0.01, 0.02, 0.03]])})
    found = found_of(torch.tensor([[1.0, -3.0, 2.0]]), standard_error=spread)
    assert [round(part.standard_error or 0, 3) for part in leading(found, 0)] == [0.02, 0.03, 0.01]
    assert "-3 ± 0.02" in str(found)
    assert "-3 ± 0.02" in found._repr_html_()


def test_the_sum_of_a_row_has_no_standard_error_of_its_own() -> None:
    spread = Parts({"atoms": torch.full((2, 3), 0.1)})
    found = replace(
        found_of(torch.ones(1, 2)),
        parts=Parts({"atoms": torch.ones(2, 3)}),
        owners={"atoms": torch.tensor([0, 0])},
        standard_error=spread,
        single=False,
    )
    assert [part.standard_error for part in leading(found, 0)] == [None, None]
    one_entry = replace(
        found, parts=Parts({"atoms": torch.ones(2, 1)}), standard_error=Parts({"atoms": spread["atoms"][:, :1]})
    )
    assert leading(one_entry, 0)[0].standard_error == pytest.approx(0.1)


def test_what_a_method_read_and_measured_is_said() -> None:
    found = found_of(torch.ones(2, 2), layers=("conv3",), measured={"fit": torch.tensor([0.25, 0.5])})
    for said in (str(found), found._repr_html_()):
        assert "Plain() from conv3" in said
        assert "fit" in said
        assert "+0.25" in said


def test_parts_of_one_size_keep_their_order() -> None:
    found = found_of(torch.tensor([[1.0, -1.0] * 40]))
    assert [part.name for part in leading(found, 0, 5)] == ["[0]", "[1]", "[2]", "[3]", "[4]"]


def test_names_are_text_and_never_tags() -> None:
    html = found_of(torch.ones(1, 1), entry_names=("<script>alert(1)</script>",))._repr_html_()
    parsed(html)
    assert "&lt;script&gt;" in html


def test_only_as_many_parts_as_can_be_read_are_shown() -> None:
    found = found_of(torch.arange(100.0).reshape(1, 100))
    assert "and 92 more" in str(found)
    assert parsed(found._repr_html_()).tags.count("tr") == PARTS + 1


def test_no_examples_is_said() -> None:
    assert "no examples" in str(found_of(torch.ones(0, 2)))
    parsed(found_of(torch.ones(0, 2))._repr_html_())


def test_a_map_is_summed_over_channels_wherever_they_stand() -> None:
    first = torch.from_numpy(np.random.default_rng(0).standard_normal((2, 3, 6, 5)))
    last = first.permute(0, 2, 3, 1)
    for values in (first, last):
        (maps,) = heat_maps(found_of(values))
        np.testing.assert_allclose(maps.values, first.sum(1).numpy())
        assert maps.summed == "summed over channels"
    (volume,) = heat_maps(found_of(first[:, :, None]))
    np.testing.assert_allclose(volume.values, first.sum(1).numpy())
    assert heat_maps(found_of(torch.ones(2, 3))) == []


def test_half_precision_is_drawn() -> None:
    parsed(found_of(torch.ones(1, 3, 4, 4, dtype=torch.bfloat16))._repr_html_())


def test_colours_are_symmetric_about_white() -> None:
    colours = coloured(np.array([-2.0, -1.0, 0.0, 1.0, 2.0]), 1.0)
    assert [tuple(c) for c in colours] == [*2 * [channels(AGAINST)], (255, 255, 255), *2 * [channels(SUPPORTS)]]
    assert (coloured(np.zeros(3), 0.0) == 255).all()


def test_one_extreme_pixel_does_not_leave_the_others_white() -> None:
    values = torch.full((1, 1, 40, 40), 0.1)
    values[0, 0, 0, 0] = 100.0
    (maps,) = heat_maps(found_of(values))
    assert maps.scale == pytest.approx(0.1, rel=1e-6)


def test_the_legend_gives_the_ends_of_the_scale() -> None:
    html = found_of(torch.full((1, 1, 4, 4), -0.25))._repr_html_()
    assert re.findall(r"<span>([-+][\d.]+)</span>", html) == ["-0.25", "+0.25"]
    assert html.count("<img") == 1
