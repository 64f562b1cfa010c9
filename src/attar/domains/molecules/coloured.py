"""Molecules out of a SMILES or a file, drawn: each atom on the colour of its value."""

from collections.abc import Callable, Mapping
from html import escape
from typing import Any

import numpy as np
from jaxtyping import Float
from rdkit import Chem
from rdkit.Chem import rdDepictor

from attar.core.attribution import Attribution
from attar.core.errors import InputError
from attar.core.examples import Examples
from attar.core.heat import INK, colour
from attar.core.show import signed
from attar.domains.molecules.draw import heat_map
from attar.domains.molecules.molecule import Molecule
from attar.domains.molecules.parts import Groups, NamedAtoms, parts_of

FILES: Mapping[str, Callable[[Examples, Attribution], bytes]] = {}
_DISC = 0.38  # radius of an atom's disc, in bonds
_APART = {Chem.BondType.DOUBLE: (-0.06, 0.06), Chem.BondType.TRIPLE: (-0.1, 0.0, 0.1)}  # lines of a bond, in bonds
_SHOWN = 12  # molecules on a page


def named(examples: Examples, found: Attribution) -> Attribution:
    """The same answer by atoms, called by element, number and group; one by groups as it is."""
    if not set(found.parts) <= {"atoms", "bonds"} or found.carried_by is not None:
        return found
    return found.carried(NamedAtoms()(examples.inputs))


def by_group(examples: Examples, found: Attribution) -> Attribution:
    """The same answer by functional groups and rings, sums kept."""
    return found if found.carried_by is not None else found.carried(Groups(sums=True)(examples.inputs))


def on_atoms(examples: Examples, found: Attribution) -> list[Float[np.ndarray, " atoms"]]:
    """A value for each atom of each molecule: what arrives by bonds is its own, and a group's value stands on all of
    the group's atoms."""
    carried = named(examples, found)
    part = next(iter(carried.parts))
    each = [rows.detach().cpu().double().numpy() for rows in carried.by_example(part)]
    if part != "groups":
        return each
    spread = []
    for molecule, values in zip(_molecules(examples), each, strict=True):
        laid = np.zeros(molecule.size)
        for value, group in zip(values, parts_of(molecule), strict=True):
            laid[list(group.atoms)] = value
        spread.append(laid)
    return spread


def panel(axes: Any, examples: Examples, found: Attribution, example: int) -> None:
    """One molecule, a disc behind each atom in the colour of its value, on the scale of its own largest."""
    molecule, values = _molecules(examples)[example], on_atoms(examples, found)[example]
    mol = Chem.Mol(molecule.mol)
    Chem.Kekulize(mol)
    rdDepictor.Compute2DCoords(mol)
    rdDepictor.StraightenDepiction(mol)
    at = mol.GetConformer().GetPositions()[:, :2]
    lengths = [float(np.hypot(*(at[b.GetBeginAtomIdx()] - at[b.GetEndAtomIdx()]))) for b in mol.GetBonds()]
    bond, scale = min(lengths, default=1.5), float(np.abs(values).max(initial=0.0))
    from matplotlib.patches import Circle

    for place, value in zip(at, values, strict=True):
        axes.add_patch(Circle(tuple(place), _DISC * bond, color=colour(float(value), scale), linewidth=0, zorder=1))
    for each in mol.GetBonds():
        first, last = at[each.GetBeginAtomIdx()], at[each.GetEndAtomIdx()]
        along = (last - first) / max(float(np.hypot(*(last - first))), 1e-9)
        across = np.array([-along[1], along[0]])
        for apart in _APART.get(each.GetBondType(), (0.0,)):
            line = np.stack([first, last]) + apart * bond * across
            axes.plot(line[:, 0], line[:, 1], color=INK, linewidth=1.0, zorder=2)
    for atom, place in zip(mol.GetAtoms(), at, strict=True):
        if atom.GetSymbol() != "C" or not atom.GetDegree():
            box = {
                "boxstyle": "circle,pad=0.15",
                "facecolor": colour(float(values[atom.GetIdx()]), scale),
                "linewidth": 0,
            }
            axes.text(*place, _letters(atom), ha="center", va="center", fontsize=8, color=INK, bbox=box, zorder=3)
    axes.set_aspect("equal")
    axes.set_xlim(at[:, 0].min() - bond, at[:, 0].max() + bond)
    axes.set_ylim(at[:, 1].min() - bond, at[:, 1].max() + bond)
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_visible(False)
    axes.set_xlabel(f"full colour: ±{signed(scale).lstrip('+')} units of the target", fontsize=8)


def markup(examples: Examples, found: Attribution) -> str:
    """The molecules with their atoms coloured on one scale, and what each group has, for a page."""
    values = on_atoms(examples, found)[:_SHOWN]
    scale = max((float(np.abs(each).max(initial=0.0)) for each in values), default=0.0)
    blocks = []
    for molecule, each, said in zip(_molecules(examples), values, groups_said(examples, found), strict=False):
        drawn = heat_map(molecule.smiles, each.tolist(), scale=scale, describe=f"{molecule.smiles}: {said}")
        blocks.append(f"<figure>{drawn}<figcaption>{escape(said)}</figcaption></figure>")
    return f'<div style="display:flex;flex-wrap:wrap">{"".join(blocks)}</div>'


def groups_said(examples: Examples, found: Attribution) -> list[str]:
    """Of each molecule its groups with their values, the largest first: nitro (atoms 1-3) +1.2."""
    carried = by_group(examples, found)
    return [
        ", ".join(f"{name} {signed(value)}" for name, value in carried.ranked(k)) for k in range(len(examples.names))
    ]


def beside(examples: Examples, found: Attribution) -> list[str]:
    """What stands below the atoms in a terminal: the groups of a single molecule."""
    if len(examples.names) != 1 or "groups" in found.parts:
        return []
    return [f"by group: {groups_said(examples, found)[0]}"]


def _molecules(examples: Examples) -> tuple[Molecule, ...]:
    if not all(isinstance(each, Molecule) for each in examples.raw):
        raise InputError("these examples are no molecules")
    return examples.raw


def _letters(atom: Chem.Atom) -> str:
    charge = atom.GetFormalCharge()
    sign = "" if not charge else ("+" if charge > 0 else "−") + (str(abs(charge)) if abs(charge) > 1 else "")
    count = atom.GetTotalNumHs()
    hydrogens = "" if not count else "H" + ("" if count == 1 else f"$_{count}$")
    return f"{atom.GetSymbol()}{hydrogens}{sign}"
