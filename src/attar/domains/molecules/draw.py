"""Molecules as pictures, atoms coloured on one scale.

A dark outline holds the atoms that the rule names; the colour is what the model's attribution says.
"""

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from rdkit import Chem
from rdkit.Chem import rdDepictor
from rdkit.Chem.Draw import rdMolDraw2D

from attar.core.errors import InputError
from attar.core.heat import AROUND, INK, OUTLINE, ZERO, Legend, colour
from attar.core.svg import Box, signed, svg
from attar.domains.molecules.molecule import Molecule

LEGEND = Legend(wide=260, mark="outline", marked="The line holds the atoms that the rule names.")
BOND = 26.0  # pixels; smaller where a molecule would not fit
DISC, BAND = 0.36, 0.46  # radii of an atom's disc and of the outline around it, in bonds


def heat_map(
    smiles: str,
    values: Sequence[float | None],
    *,
    scale: float,
    outlined: Collection[int] = (),
    describe: str = "",
    width: int = LEGEND.wide,
    height: int = 190,
) -> str:
    """The molecule with a disc on every atom in the colour of its value, and the `outlined` atoms held in a line.

    Atoms are numbered as in `Chem.MolFromSmiles(smiles)`. An atom without a value (None) stays bare. `describe` is
    what a screen reader says. Raises `InputError` for another number of values than atoms.
    """
    mol = Molecule.of(smiles).mol
    if len(values) != mol.GetNumAtoms():
        raise InputError(f"there are {len(values)} values for the {mol.GetNumAtoms()} atoms of {smiles}")
    lines, at, _ = _drawn(mol, width, height)
    bond = _bond_length(mol, at)
    band = [
        _band(mol, at, set(outlined), width=2 * BAND * bond, paint=OUTLINE),
        _band(mol, at, set(outlined), width=2 * BAND * bond - 3, paint=ZERO),
    ]
    discs = [
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{DISC * bond:.1f}" fill="{colour(v, scale)}">'
        f"<title>{_named(mol, i)}: {signed(v)}</title></circle>"
        for i, ((x, y), v) in enumerate(zip(at, values, strict=True))
        if v is not None
    ]
    return svg([*band, *discs, *(line.path for line in lines)], (0, 0, width, height), describe or smiles)


def fragment(smiles: str, centre: int, radius: int, *, supports: bool = True, describe: str = "") -> str:
    """The atoms at most `radius` bonds from `centre` in black on a tint, their neighbours in grey, what follows dotted.

    All fragments are drawn to one scale. Atoms are numbered as in `Chem.MolFromSmiles(smiles)`. The tint is warm for
    one that supports the target, else cool. Raises `InputError` for a centre that is no atom of the molecule.
    """
    mol = Molecule.of(smiles).mol
    if not 0 <= centre < mol.GetNumAtoms():
        raise InputError(f"there is no atom {centre} in {smiles}, which has {mol.GetNumAtoms()}")
    away = Chem.GetDistanceMatrix(mol)[centre]
    inside, shown = set(np.flatnonzero(away <= radius).tolist()), set(np.flatnonzero(away <= radius + 1).tolist())
    bonds = set(Chem.FindAtomEnvironmentOfRadiusN(mol, radius, centre, enforceSize=False)) if radius else set()
    lines, at, _ = _drawn(mol, -1, -1)
    paths = [_band(mol, at, inside, width=0.84 * BOND, paint=colour(0.45 if supports else -0.45, 1), bonds=bonds)]
    for line in lines:
        if line.bond in bonds or (line.bond is None and line.atoms <= inside):
            paths.append(line.path)
        elif line.atoms <= shown:
            paths.append(line.path.replace(INK, AROUND))
        elif line.bond is not None and line.atoms & shown:
            paths.append(line.path.replace(INK, AROUND).replace("/>", ' stroke-dasharray="1 4"/>'))
    return svg(paths, _window([at[i] for i in shown], margin=0.75 * BOND), describe or smiles)


def structure(smiles: str, *, describe: str = "") -> str:
    """The bare drawing; `*` is where it is attached."""
    mol = Molecule.of(smiles).mol
    lines, _, size = _drawn(mol, -1, -1)
    return svg([line.path for line in lines], (0, 0, *size), describe or smiles)


def written(smiles: str) -> str:
    """What may be copied."""
    return smiles


def part_name(smiles: str, atom: int) -> str:
    return _named(Molecule.of(smiles).mol, atom)


def _named(mol: Chem.Mol, atom: int) -> str:
    return f"{mol.GetAtomWithIdx(atom).GetSymbol()}, atom {atom}"


Point = tuple[float, float]


@dataclass(frozen=True)
class _Line:
    """One SVG path of a drawing: a line of a bond, or (`bond` None) a letter of an atom."""

    bond: int | None
    atoms: set[int]
    path: str


def _drawn(mol: Chem.Mol, width: int, height: int) -> tuple[list[_Line], list[Point], tuple[int, int]]:
    """The lines and letters of a drawing, where its atoms are and its size, in pixels; −1 for as large as needed."""
    rdDepictor.Compute2DCoords(mol)
    rdDepictor.StraightenDepiction(mol)
    drawer = rdMolDraw2D.MolDraw2DSVG(width, height)
    options = drawer.drawOptions()
    options.useBWAtomPalette()
    options.clearBackground = False
    options.fixedBondLength = BOND
    options.scalingFactor = BOND / 1.5
    options.bondLineWidth = 1.4
    options.scaleBondWidth = False
    options.padding = 0.1 if width < 0 else 0.13
    options.fixedFontSize = 13 if width < 0 else -1
    options.minFontSize, options.maxFontSize = 8, 14
    options.dummiesAreAttachments = True
    rdMolDraw2D.PrepareAndDrawMolecule(drawer, mol)
    drawer.FinishDrawing()
    at = [(p.x, p.y) for p in map(drawer.GetDrawCoords, range(mol.GetNumAtoms()))]
    return list(_lines(drawer.GetDrawingText())), at, (drawer.Width(), drawer.Height())


def _lines(svg: str) -> Iterator[_Line]:
    """RDKit's paths without what only its own viewers read. Its corner pieces go: round ends close a corner too."""
    for attributes in re.findall(r"<path ([^>]*?)/?>", svg):
        of, d, style = (
            found.group(1) if (found := re.search(rf"\b{name}='([^']*)'", attributes)) else ""
            for name in ("class", "d", "style")
        )
        if not of:
            continue
        filled = f' fill="{INK}"' if "fill:none" not in style else ""
        drawn = f' stroke="{INK}" stroke-width="1.4" fill="none" stroke-linecap="round"' if not filled else ""
        dashes = re.search(r"stroke-dasharray:([\d.,]+)", style)
        dashed = f' stroke-dasharray="{dashes.group(1)}"' if dashes else ""
        bond = re.search(r"bond-(\d+)", of)
        atoms = {int(i) for i in re.findall(r"atom-(\d+)", of)}
        yield _Line(bond and int(bond.group(1)), atoms, f'<path d="{_short(d)}"{filled}{drawn}{dashed}/>')


def _short(d: str) -> str:
    return re.sub(r" ?([A-Z]) ", r"\1", " ".join(d.split())).replace(", ", " ").strip()


def _band(
    mol: Chem.Mol, at: list[Point], atoms: set[int], *, width: float, paint: str, bonds: set[int] | None = None
) -> str:
    """One round stroke over the atoms and the bonds between them (of `bonds`, where given), full rings filled."""
    if not atoms:
        return ""
    strokes = [f"M{at[i][0]:.1f} {at[i][1]:.1f}h0" for i in sorted(atoms)]
    for b in mol.GetBonds():
        ends = b.GetBeginAtomIdx(), b.GetEndAtomIdx()
        if set(ends) <= atoms and (bonds is None or b.GetIdx() in bonds):
            strokes.append("M" + "L".join(f"{at[i][0]:.1f} {at[i][1]:.1f}" for i in ends))
    rings = [] if bonds is not None else [ring for ring in mol.GetRingInfo().AtomRings() if set(ring) <= atoms]
    strokes += ["M" + "L".join(f"{at[i][0]:.1f} {at[i][1]:.1f}" for i in ring) + "Z" for ring in rings]
    fill = paint if rings else "none"
    ends = 'stroke-linecap="round" stroke-linejoin="round"'
    return f'<path d="{"".join(strokes)}" fill="{fill}" stroke="{paint}" stroke-width="{width:.1f}" {ends}/>'


def _bond_length(mol: Chem.Mol, at: list[Point]) -> float:
    """In pixels: the shortest, so that discs never overlap."""
    lengths = [
        sum((p - q) ** 2 for p, q in zip(at[b.GetBeginAtomIdx()], at[b.GetEndAtomIdx()], strict=True)) ** 0.5
        for b in mol.GetBonds()
    ]
    return min(lengths, default=BOND)


def _window(points: Sequence[Point], *, margin: float) -> Box:
    left, right = min(x for x, _ in points) - margin, max(x for x, _ in points) + margin
    top, bottom = min(y for _, y in points) - margin, max(y for _, y in points) + margin
    return left, top, right - left, bottom - top
