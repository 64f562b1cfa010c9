"""SpliceAI on the human gene of beta-globin: what is found, whether methods agree about it, and what mutants cost.

python bench/sequences.py        about six minutes; needs `make models`

The gene is tests/data/hbb.fa (GenBank KU350152.1), whose exons are annotated: donors at 567 and 920, acceptors at 698
and 1771. "Every confident site" is every position that the five networks' mean gives 0.5 or more, annotated or not.

1. The probability of the annotated sites, and their rank among all positions.
2. In-silico mutagenesis of +-10 letters around every confident site: which two letters matter most.
3. Expected Gradients with ten dinucleotide shuffles as the background against it: Spearman's rank correlation over the
   same letters.
4. A variant that deletes the GT of the first donor: the probability before and after, what is said of the sites, and
   which motif is lost.
5. Seconds of one thread: mutants of +-10 letters as the method asks for them against a loop that asks the whole model
   about one mutant after another, as the published tool does.
"""

import time
from pathlib import Path

import numpy as np
import torch
from scipy.stats import spearmanr

import attar
from attar.core.examples import Examples
from attar.domains.sequences.motifs import Motif, hits, lost
from attar.domains.sequences.shuffle import shuffled
from attar.methods.expected_gradients import ExpectedGradients
from attar.methods.mutagenesis import InSilicoMutagenesis
from attar.pretrained import load
from attar.pretrained.card import Pretrained
from attar.pretrained.spliceai import SITES, SURE, SpliceSite

GENE = Path(__file__).parent.parent / "tests" / "data" / "hbb.fa"
ANNOTATED = {"donor": (567, 920), "acceptor": (698, 1771)}
AROUND = 10
CORE = {"donor": {1: "G", 2: "T"}, "acceptor": {-2: "A", -1: "G"}}  # places beside the site that never vary
SHUFFLES, BUDGET = 10, 160
DELETED = "g.568_569del"
LOOPED = 6  # mutants that the loop is timed on
DONOR = Motif(  # the consensus MAG|GTRAGT of Mount 1982, doi:10.1093/nar/10.2.459, of which GT hardly ever varies
    name="donor",
    counts=np.array(
        [
            [40, 70, 10, 0, 0, 45, 70, 10, 10],
            [40, 10, 10, 0, 0, 5, 10, 10, 10],
            [10, 10, 70, 100, 0, 45, 10, 70, 10],
            [10, 10, 10, 0, 100, 5, 10, 10, 70],
        ],
        dtype=float,
    ),
)


def main() -> None:
    torch.set_num_threads(1)
    known = load("spliceai")
    gene = known.read(GENE)
    chances = known.model.predict(gene.inputs).softmax(1)[0].numpy()
    print("1. annotated sites")
    for kind, positions in ANNOTATED.items():
        ranked = np.argsort(-chances[SITES[kind]]) + 1
        for position in positions:
            rank = ranked.tolist().index(position) + 1
            print(f"   {kind} {position}: {chances[SITES[kind], position - 1]:.3f}, rank {rank} of {len(ranked):,}")
    sites = sorted((int(p), kind) for kind, row in SITES.items() for p in np.flatnonzero(chances[row] >= SURE))
    agreed = [_site(known, gene, SpliceSite(kind, place, place + 1)) for place, kind in sites]
    print(f"   Spearman over {len(agreed)} sites: least {min(agreed):.2f}, mean {np.mean(agreed):.2f}")
    _deletion(known)
    _cost(known, gene)


def _site(known: Pretrained, gene: Examples, target: SpliceSite) -> float:
    """Which letters matter by mutagenesis, and how far the gradients with shuffled references agree."""
    assert isinstance(target.place, int)
    place = target.place
    model, here = known.narrowed(target), slice(place - AROUND, place + AROUND + 1)
    mutants = attar.attribute(model, gene.inputs, InSilicoMutagenesis(window=(here.start + 1, here.stop)), target)
    values = mutants.values[0].sum(0)[here].numpy()
    first = sorted(int(k) - AROUND for k in np.argsort(-values)[:2])
    letters = gene.raw[0].letters
    right = {k: letters[place + k] for k in first} == CORE[target.kind]
    method = ExpectedGradients(background=shuffled(gene.inputs, count=SHUFFLES), budget=BUDGET)
    gradients = attar.attribute(model, gene.inputs, method, target).values[0].sum(0)[here].numpy()
    rank = float(spearmanr(values, gradients).statistic)
    named = ", ".join(f"{letters[place + k]} at {k:+d}" for k in first)
    print(
        f"2. {target.kind} {place + 1} {letters[here]}: first {named} ({'as it should' if right else 'NOT its core'})"
    )
    print(f"3.    Spearman of Expected Gradients with mutagenesis over +-{AROUND}: {rank:.2f}", flush=True)
    return rank


def _deletion(known: Pretrained) -> None:
    both = known.read(GENE, variants=(DELETED,))
    outputs = torch.cat([known.model.predict(both.inputs.take(torch.tensor([k]))) for k in range(2)])
    before, after = both.raw
    print(f"4. {known.remarks(both, outputs)[1]}")
    target = SpliceSite("donor", 566, 567)
    one = both.only(1)
    found = attar.attribute(known.narrowed(target), one.inputs, InSilicoMutagenesis(window=(557, 580)), target)
    values = found.values[0].sum(0).numpy()
    for hit in hits(before, [DONOR], values):
        gone = any((hit.first, hit.strand) == (each.first, each.strand) for each in lost(before, after, [DONOR]))
        if gone:
            print(f"   lost: {hit}")


def _cost(known: Pretrained, gene: Examples) -> None:
    target = SpliceSite("donor", 566, 567)
    model, letters = known.narrowed(target), gene.inputs.values
    method = InSilicoMutagenesis(window=(557, 577))
    attar.attribute(model, gene.inputs, method, target)
    since = time.perf_counter()
    found = attar.attribute(model, gene.inputs, method, target)
    ours = (time.perf_counter() - since) / (int(found.evaluations) - 1)
    whole = known.model.module
    since = time.perf_counter()
    for k in range(LOOPED):
        mutant = letters.clone()
        other = (int(letters[0, :, 560 + k].argmax()) + 1) % 4
        mutant[0, :, 560 + k] = torch.eye(4)[other]
        with torch.no_grad():
            answer = target(whole(mutant))
        change = found.measured["change"][0, other, 560 + k]
        assert torch.allclose(answer, found.output + change, atol=1e-3)
    loop = (time.perf_counter() - since) / LOOPED
    print(f"5. seconds a mutant: {ours:.4f} as asked for, {loop:.3f} in a loop: {loop / ours:.0f} times")


if __name__ == "__main__":
    main()
