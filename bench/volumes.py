"""MeshNet on the MNI152 head: what is found of its tissue, and how near a voxel the reasons for its label lie.

python bench/volumes.py FOLDER [COUNT]     FOLDER is brainchop's public/models/model5_gw_ae; half a minute, and a few
                                           seconds for each of COUNT voxels (6)

Dice of white and grey matter against the template's own maps (more than half), for brainchop's way of reading a head
and for others. Then, for voxels drawn at random whose label is right and sure: the radius of the ball around
the voxel that holds half of |gradient x input| of the label's lead over the other, and the same radius if the mass were
spread evenly over what the voxel can see; and whether the cut that is explained has the whole head's answer.
"""

import sys
import time

import numpy as np
import torch

from attar import attribute
from attar.domains.volumes.parts import half_mass_radius
from attar.domains.volumes.read import Look, read_volume
from attar.methods.grad_input import GradInput
from attar.pretrained import load
from attar.pretrained.files import package_file
from attar.pretrained.meshnet import CLASSES, named

TEMPLATE = "nilearn/datasets/data/mni_icbm152_{}_tal_nlin_sym_09a_converted.nii.gz"
SURE = 2.0  # logits, of a label's lead


def dice(said: np.ndarray, truth: np.ndarray) -> float:
    return float(2 * (said & truth).sum() / (said.sum() + truth.sum()))


def main(folder: str, count: int = 6) -> None:
    import nibabel

    torch.set_num_threads(1)
    known = load(f"meshnet:{folder}")
    head = package_file("nilearn", TEMPLATE.format("t1"))
    tissue = {
        name: nibabel.load(package_file("nilearn", TEMPLATE.format(short))).get_fdata() >= 128
        for name, short in (("white", "wm"), ("grey", "gm"))
    }
    print("axes  lowest and highest at   Dice white  grey   seconds")
    logits = np.zeros(0)
    for axes in ("LIA", "RAS"):
        for low, high in ((0, 1), (0.02, 0.98)):
            examples = read_volume(head, Look(axes=axes, voxel=1.0))
            values = examples.inputs.parts["input"]
            ends = [float(np.quantile(values.numpy(), share)) for share in (low, high)]
            began = time.perf_counter()
            with torch.no_grad():
                found = known.model.module(((values - ends[0]) / (ends[1] - ends[0])).clamp(0, 1))[0].numpy()
            seconds = time.perf_counter() - began
            labels = examples.raw[0].back(found.argmax(0).astype(np.float32))
            scores = [dice(labels == CLASSES.index(name), truth) for name, truth in tissue.items()]
            print(f"{axes}   {low:>6.0%} and {high:>4.0%}          {scores[0]:.3f}      {scores[1]:.3f}  {seconds:.1f}")
            if (axes, low) == ("LIA", 0):
                logits, whole = found, examples
    print("\nlabel  voxel         lead    in the cut  half-mass radius, mm  evenly  seconds")
    draw, radii = np.random.default_rng(0), []
    for this, that in (("white", "grey"), ("grey", "white")):
        lead = logits[CLASSES.index(this)] - np.delete(logits, CLASSES.index(this), 0).max(0)
        placed = whole.raw[0]
        right = np.zeros(lead.shape, dtype=bool)
        inside = np.argwhere(placed.sampled(tissue[this].astype(np.float32)) > 0)
        right[tuple(inside.T)] = True
        sure = np.argwhere(right & (lead > SURE))
        for at in sure[draw.choice(len(sure), count // 2, replace=False)]:
            place = tuple(int(k) for k in at)
            words = f"{this}-{that}@{','.join(f'{v:.0f}' for v in placed.voxel(place))}"
            cut = known.around(words, whole)
            target = named(words, cut)
            began = time.perf_counter()
            said = attribute(known.model, cut.inputs, GradInput(), target)
            seconds = time.perf_counter() - began
            middle = cut.raw[0].index(placed.voxel(place))
            values = said.parts["input"][0, 0].numpy()
            radius, evenly = (half_mass_radius(each, middle) for each in (values, np.ones_like(values)))
            radii.append(radius)
            theirs = float(logits[CLASSES.index(this)][place] - logits[CLASSES.index(that)][place])
            voxel = words.partition("@")[2]
            print(
                f"{this:5}  {voxel:12}  {theirs:+.3f}  {float(said.output[0]):+.3f}      {radius:5.1f}                 "
                f"{evenly:5.1f}   {seconds:.1f}"
            )
    print(f"\nmedian half-mass radius {np.median(radii):.1f} mm")


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:]))
