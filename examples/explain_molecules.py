"""Which atoms make this molecule follow the rose rule, and would the model say otherwise without one of them?

python examples/explain_molecules.py [SMILES …]      writes molecules.html beside you
"""

import sys
from pathlib import Path

from attar.core.heat import shared_scale
from attar.core.rule import explanations
from attar.domains.molecules.draw import heat_map
from attar.domains.molecules.edit import detached, substituents
from attar.domains.molecules.library import nci_molecules
from attar.domains.molecules.molecule import Molecule
from attar.domains.molecules.truth import SmartsFinder, read_rule
from attar.experiments.molecule_models import MoleculeRecipe
from attar.experiments.molecule_task import labelled_by_rule

ASKED = ("CC(C)=CCCC(C)CCO", "OCCc1ccccc1", "CC(=O)OCCc1ccccc1", "CCCCCCCCO")


def main(smiles: tuple[str, ...] = ASKED) -> None:
    rose = read_rule("rose")
    task = labelled_by_rule("NCI", "", nci_molecules()[:2000], rule=rose, rule_name="rose", seed=0)
    model = MoleculeRecipe(kind="glm").fit(*task.part(task.train), seed=0)

    molecules = [Molecule.of(text) for text in smiles]
    log_odds = model.predict(molecules)
    on_atoms = model.explain(molecules, "weight-times-input")
    scale = shared_scale([values.tolist() for values in on_atoms])
    pictures = []
    for text, molecule, z, values in zip(smiles, molecules, log_odds, on_atoms, strict=True):
        true = explanations(rose, SmartsFinder(), molecule.mol).union
        print(f"{text:<20} log-odds {z:+.2f}; the rule is {'true' if true else 'false'}")
        for group in substituents(molecule, largest=3):
            if (edited := detached(molecule, group.parts)) is not None:
                print(f"    without {group.name:<10} {model.predict([edited])[0] - z:+.2f}")
        pictures.append(heat_map(text, values.tolist(), scale=scale, outlined=true, describe=text))
    page = "<!doctype html><meta charset=utf-8><title>Which atoms?</title>" + "\n".join(pictures)
    Path("molecules.html").write_text(page, encoding="utf-8")
    print("molecules.html: warm supports the label, cool speaks against it, the line holds the rule's atoms")


if __name__ == "__main__":
    main(tuple(sys.argv[1:]) or ASKED)
