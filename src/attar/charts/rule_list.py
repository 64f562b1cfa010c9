"""A rule list as a picture: its lines in order, and how often each is right on rows it was not learnt from."""

import textwrap

import numpy as np
from matplotlib.axes import Axes
from sklearn.utils.validation import check_is_fitted

from attar.core.surface import GREY, INK, PALE, rows_of, surface, title
from attar.design.rule_list import ListedRule, RuleListClassifier
from attar.design.wording import percent, short

_WIDE = 44  # letters of a line


def rule_list(model: RuleListClassifier, *, ax: Axes | None = None) -> Axes:
    """A row for each line of the list, the first at the top: where it holds and none above did, what it answers, the
    share of held-out rows there that are of that class (a dot) with its 95% interval, and how many rows those are.
    A line to which no held-out row came has no dot. Returns the axes.
    """
    check_is_fitted(model)
    rules: tuple[ListedRule, ...] = tuple(model.rules_)
    names = [_where(rule, k) for k, rule in enumerate(rules)]
    tall = sum(34 + 15 * name.count("\n") for name in names)
    with surface(ax, tall=90 + tall) as axes:
        for row, rule in enumerate(rules):
            axes.plot([0, 1], [row, row], color=PALE, linewidth=1, zorder=0)
            if not rule.n:
                axes.text(0.02, row - 0.16, "no held-out row came here", color=GREY, fontsize="small", va="center")
                continue
            axes.plot([rule.low, rule.high], [row, row], color=INK, linewidth=2)
            axes.plot([rule.share], [row], "o", color=INK)
            said = f"{rule.prediction}: {percent(rule.share)} of {short(rule.n)}"
            right = rule.share < 0.6
            axes.text(
                rule.share, row - 0.24, said, color=INK, fontsize="small", ha="left" if right else "right", va="center"
            )
        rows_of(axes, names)
        axes.set_xlim(-0.02, 1.04)
        axes.set_xticks(np.linspace(0, 1, 5), ["0%", "25%", "50%", "75%", "100%"])
        axes.set_xlabel("held-out rows of the class that is answered, 95% interval")
        title(axes, f"{len(rules)} lines: the first that holds answers")
    return axes


def _where(rule: ListedRule, place: int) -> str:
    word = "if" if place == 0 else "else if"
    said = f"{word} {' and '.join(map(str, rule.conditions))}" if rule.conditions else "otherwise"
    return "\n".join(textwrap.wrap(f"{said}: {rule.prediction}", _WIDE))
