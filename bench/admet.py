"""Which atoms make admet call a molecule a mutagen: the nitrogens of nitro and amino groups, by several methods.

python bench/admet.py             (about half a minute on one core; `make models` first)

Asked about AMES. `control` knows neither model nor label (heteroatoms 2, unsaturated atoms 1, `domains/molecules/
control.py`), ties counted as drawn; `chance` is one over the heavy atoms. Below, each group replaced by hydrogen: what
the model then says beside what occlusion and integrated gradients gave the group.
"""

import csv

import numpy as np
import torch

import attar
from attar.core.method import Method
from attar.domains.molecules.coloured import by_group, on_atoms
from attar.domains.molecules.control import trivial_atoms
from attar.domains.molecules.parts import Groups, without_each
from attar.domains.molecules.perturb import WithBonds
from attar.methods.deep_lift import DeepLift
from attar.methods.grad_input import GradInput
from attar.methods.gradient import Gradient
from attar.methods.integrated_gradients import IntegratedGradients
from attar.methods.occlusion import Occlusion
from attar.pretrained import load
from attar.pretrained.admet import probabilities, task
from attar.pretrained.dmpnn import graphs
from attar.pretrained.files import package_file

NITROGENS = {
    "nitrobenzene": "O=[N+]([O-])c1ccccc1",
    "4-nitrobiphenyl": "O=[N+]([O-])c1ccc(-c2ccccc2)cc1",
    "2-naphthylamine": "Nc1ccc2ccccc2c1",
}
OTHERS = {
    "epichlorohydrin": ("ClCC1CO1", "AMES"),
    "benzene": ("c1ccccc1", "AMES"),
    "caffeine": ("Cn1c(=O)c2c(ncn2C)n(C)c1=O", "AMES"),
    "terfenadine": ("CC(C)(C)c1ccc(cc1)C(O)CCCN1CCC(CC1)C(O)(c1ccccc1)c1ccccc1", "hERG"),
}
METHODS: dict[str, Method] = {
    "gradient": Gradient(),
    "gradient x input": GradInput(),
    "integrated gradients": IntegratedGradients(),
    "DeepLIFT": DeepLift(),
    "occlusion of atoms": Occlusion(by=WithBonds()),
}
TABLE = "admet_ai/resources/data/drugbank_approved.csv"


def main() -> None:
    torch.set_num_threads(1)
    admet = load("admet")
    ames = task("AMES", admet.outputs)
    print("the atom that counts most for AMES")
    for name, smiles in NITROGENS.items():
        examples = admet.read(smiles)
        molecule = examples.raw[0]
        trivial = trivial_atoms(molecule)
        nitrogen = next(a.GetIdx() for a in molecule.mol.GetAtoms() if a.GetSymbol() == "N")
        best = trivial == trivial.max()
        control = best[nitrogen] / best.sum()
        print(f"{name}: chance {1 / molecule.size:.2f}, control {control:.2f}")
        for called, method in METHODS.items():
            found = attar.attribute(admet.model, examples.inputs, method, ames)
            values = on_atoms(examples, found)[0]
            first = np.argsort(-values)[:2].tolist()
            said = ", ".join(f"{molecule.mol.GetAtomWithIdx(k).GetSymbol()}{k} {values[k]:+.2f}" for k in first)
            print(f"  {called:<22}{said}")
    print("\nprobabilities")
    for name, (smiles, asked) in {**{n: (s, "AMES") for n, s in NITROGENS.items()}, **OTHERS}.items():
        said = probabilities(admet.model.predict(admet.read(smiles).inputs))[0]
        print(f"  {name:<18}{asked} {said[admet.outputs.index(asked)]:.2f}")
    print("\na group replaced by hydrogen, log-odds of AMES lost; what occlusion and integrated gradients gave it")
    with package_file("admet-ai", TABLE).open() as file:
        drugs = [row["smiles"] for row in csv.DictReader(file)][::40]
    lost: list[float] = []
    given: dict[str, list[float]] = {"occlusion": [], "integrated gradients": []}
    for name, smiles in [*NITROGENS.items(), *((smiles, smiles) for smiles in drugs)]:
        try:
            examples = admet.read(smiles)
        except attar.InputError:
            continue
        asked = {"occlusion": Occlusion(by=Groups()), "integrated gradients": IntegratedGradients()}
        said = {
            each: dict(by_group(examples, attar.attribute(admet.model, examples.inputs, method, ames)).ranked(0))
            for each, method in asked.items()
        }
        output = float(admet.model.predict(examples.inputs)[0, 0])
        for part, left in without_each(examples.raw[0]):
            after = float(admet.model.predict(graphs([left]))[0, 0])
            lost.append(output - after)
            for each, of_part in said.items():
                given[each].append(of_part[part.title])
            if name in NITROGENS:
                mine = ", ".join(f"{each} {of_part[part.title]:+.2f}" for each, of_part in said.items())
                print(f"  {name} without {part.title}: {output:+.2f} → {after:+.2f}; {mine}")
    for each, values in given.items():
        print(f"  {each}: Pearson's r {np.corrcoef(lost, values)[0, 1]:.2f} over {len(lost)} groups")


if __name__ == "__main__":
    main()
