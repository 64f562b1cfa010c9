"""Pictures of what was found, for papers and reports: each takes `ax=`, and returns the axes that it drew on.

Without `ax` a figure is made, in one style: `charts.waterfall(found).figure.savefig("why.svg")`. Everywhere warm
supports the target and cool speaks against it, from 0; a column's own numbers go from light to dark; what belongs to no
side is grey. All are told apart by every common kind of colour vision.
"""

from attar.charts.bars import bars
from attar.charts.beeswarm import beeswarm
from attar.charts.changes import changes
from attar.charts.dependence import dependence
from attar.charts.rule_list import rule_list
from attar.charts.tree import tree
from attar.charts.waterfall import waterfall

__all__ = ["bars", "beeswarm", "changes", "dependence", "rule_list", "tree", "waterfall"]
