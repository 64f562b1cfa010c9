"""Why did the model say that? The same lines for seven kinds of input: only what is read is another.

python examples/any_input.py                              all seven, where their models are installed (make models)
python examples/any_input.py MODEL INPUT [TARGET] [METHOD]    one of yours
"""

import sys
from collections.abc import Callable
from pathlib import Path

from attar.core.errors import UnsupportedError
from attar.experiments.explain import Question, explain
from attar.report.pictures import named


def why(model: str, asked: str | Path, target: str = "predicted", method: str = "occlusion") -> None:
    """The leading parts of each example, in the words of its domain, with the error of the whole answer."""
    answer = explain(Question(model=Path(model), input=asked), target, [method])
    print(*answer.said, sep="\n")
    for found in answer.found.values():
        by_name = named(answer.opened.examples, found)
        for k, example in enumerate(answer.opened.examples.names):
            print(f"{example}: output {float(found.output[k]):+.3g}, error {float(found.error.bound[k]):.2g}")
            for part, value in by_name.ranked(k, 3):
                print(f"    {value:+.3g}  {part}")


HERE = Path(__file__).resolve().parents[1]
MESHNET = HERE.parent / "shared" / "data" / "brain3d" / "model5_gw_ae"


def cancer(frame: object) -> object:
    """A model of a table: the log-odds that a tumour is benign, by a logistic regression on scikit-learn's set."""
    from sklearn.datasets import load_breast_cancer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    known = load_breast_cancer(as_frame=True)
    fitted = make_pipeline(StandardScaler(), LogisticRegression()).fit(known.data, known.target)
    return fitted.decision_function(frame)


def _table() -> str:
    from sklearn.datasets import load_breast_cancer

    load_breast_cancer(as_frame=True).data.head(2).to_csv("tumours.csv", index=False)
    return "tumours.csv"


def _from(package: str, path: str) -> Callable[[], Path]:
    def found() -> Path:
        from attar.pretrained.files import package_file

        return package_file(package, path)

    return found


def _call() -> str:
    """Two seconds of a call in which somebody begins to speak."""
    from scipy.io import wavfile

    rate, samples = wavfile.read(_from("pyannote.audio", "pyannote/audio/sample/sample.wav")())
    wavfile.write("call.wav", rate, samples[6 * rate : 8 * rate])
    return "call.wav"


def _crop() -> str:
    """A corner of a head, 48 mm wide."""
    import nibabel

    name = "nilearn/datasets/data/mni_icbm152_t1_tal_nlin_sym_09a_converted.nii.gz"
    nibabel.load(_from("nilearn", name)()).slicer[37:85, 31:79, 49:97].to_filename("crop.nii.gz")  # type: ignore[attr-defined]
    return "crop.nii.gz"


# What is asked: a model, what it reads, which of its outputs, and by which method.
SEVEN: dict[str, tuple[str, Callable[[], str | Path], str, str]] = {
    "molecules": ("admet", lambda: "c1ccc([N+](=O)[O-])cc1", "AMES", "occlusion"),
    "images": ("efficientnet-lite0", _from("scikit-image", "skimage/data/coffee.png"), "espresso", "occlusion"),
    "sequences": ("spliceai-1", lambda: HERE / "tests" / "data" / "hbb.fa", "donor@920", "occlusion"),
    "waveforms": ("silero-vad", _call, "voice@0.9s", "occlusion"),
    "volumes": (f"meshnet:{MESHNET}", _crop, "white-grey@24,24,24", "gradient-input"),
    "tables": ("any_input:cancer", _table, "predicted", "occlusion"),
    "text": ("smollm2", lambda: "The capital of France is", "Paris rather than London", "occlusion"),
}


def main(words: list[str]) -> None:
    if words:
        why(*words)
        return
    sys.path.insert(0, str(Path(__file__).parent))  # where any_input:cancer is found
    for domain, (model, read, target, method) in SEVEN.items():
        print(f"\n--- {domain} ---")
        if "meshnet" in model and not MESHNET.is_dir():
            print("skipped: the weights of MeshNet are not at hand (attar models says where they are)")
            continue
        try:
            why(model, read(), target, method)
        except UnsupportedError as problem:  # a package that is not installed
            print(f"skipped: {problem}")


if __name__ == "__main__":
    main(sys.argv[1:])
