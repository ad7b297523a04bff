"""Tables of the UCI repository with a class as label: a census, and two of DNA."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np

from genzoo.datasets.dataset import Dataset, coded_parts, in_parts, split
from genzoo.datasets.download import read
from genzoo.datasets.entry import Entry
from genzoo.datasets.files import listed
from genzoo.seeding import numpy_rng
from genzoo.space.schema import Schema, Variable

if TYPE_CHECKING:
    import pandas as pd

ADULT = (
    *("age", "workclass", "fnlwgt", "education", "education-num", "marital-status", "occupation"),
    *("relationship", "race", "sex", "capital-gain", "capital-loss", "hours-per-week"),
    *("native-country", "income"),
)
CLASS = "class"  # the column of the two of DNA
VALID_SHARE = 0.1  # of the file of training rows


def adult(name: str) -> Dataset:
    """32,561 rows of the 1994 census, of which a tenth, drawn with a fixed seed, is validation.

    14 attributes, six of them numbers, then the label ``income`` (``<=50K`` or ``>50K``). A ``?``
    in the file is the missing mark. Categories and grids come from both files, the edges of cells
    (``fnlwgt``, ``capital-gain``, ``capital-loss``) from the training rows alone. The test set,
    16,281 rows, is the given one.
    """
    import pandas as pd

    given, test = (_read_adult(read(file)) for file in ENTRIES[name].files)
    frame = pd.concat([given, test], ignore_index=True)
    order = numpy_rng(0, "adult").permutation(len(given))
    n_valid = round(VALID_SHARE * len(given))
    train, valid = np.sort(order[n_valid:]), np.sort(order[:n_valid])
    schema = Schema.infer(frame, train=train)
    parts, clamped = coded_parts(schema, frame, (train, valid, np.arange(len(given), len(frame))))
    return Dataset(
        name,
        schema,
        *parts,
        label=ADULT[-1],
        source=f"{ENTRIES[name].about}, given test set; a tenth of the training file, drawn with a "
        f"fixed seed, is validation",
        licence=ENTRIES[name].licence,
        clamped=clamped,
    )


def _read_adult(raw: bytes) -> pd.DataFrame:
    """Both files: the test file has a remark in its first line and a dot after each label."""
    import pandas as pd

    frame = pd.read_csv(
        io.BytesIO(raw),
        header=None,
        names=ADULT,
        comment="|",
        skipinitialspace=True,
        na_values=dict.fromkeys(ADULT, "?"),
        keep_default_na=False,
    )
    frame["income"] = frame["income"].str.rstrip(".")
    return frame


def promoters(name: str) -> Dataset:
    """106 stretches of 57 bases of E. coli, half of them promoters (``+``), the label.

    Split 80/10/10 with a fixed seed, stratified by the label. Columns are named by their place
    relative to the start of transcription, from p-50 to p7; there is no place 0.
    """
    return _sequences(name, before=50)


def splice(name: str) -> Dataset:
    """3,190 stretches of 60 bases of primates around a possible splice junction.

    The label is EI (exon to intron), IE (intron to exon) or N (neither). Split 80/10/10 with a
    fixed seed, stratified by the label. Columns are named by their place relative to the junction,
    from p-30 to p30; there is no place 0. The rare letters D, N, R and S stand for bases that are
    not known exactly; they are categories like the others. 184 lines repeat an earlier one, so 8 %
    of the stretches in test also occur in training.
    """
    remark = "; 8 % of the test stretches also occur in training"
    return _sequences(name, before=30, header=1, remark=remark)


def _sequences(name: str, *, before: int, header: int = 0, remark: str = "") -> Dataset:
    """Lines of label, instance and bases, after ``header`` lines of no interest; the remark is for
    the source."""
    (file,) = ENTRIES[name].files
    lines = read(file).decode().split("\n")[header:]
    fields = [[field.strip() for field in line.split(",")] for line in lines if line.strip()]
    bases = np.array([list(sequence.upper()) for _, _, sequence in fields])  # (n, D)
    letters, codes = np.unique(bases, return_inverse=True)
    classes, labels = np.unique([label for label, _, _ in fields], return_inverse=True)
    rows = np.column_stack([codes.reshape(bases.shape), labels])
    places = [p for p in range(-before, bases.shape[1] - before + 1) if p != 0]
    variables = [Variable(f"p{p}", "nominal", categories=tuple(letters.tolist())) for p in places]
    label = Variable(CLASS, "nominal", categories=tuple(classes.tolist()))
    index = split(len(rows), valid=0.1, test=0.1, seed=0, classes=labels)
    return Dataset(
        name,
        Schema((*variables, label), "table", (len(variables) + 1,)),
        *in_parts(rows, index),
        label=CLASS,
        source=f"{ENTRIES[name].about}; split 80/10/10 with a fixed seed, stratified by the class"
        f"{remark}",
        licence=ENTRIES[name].licence,
    )


ENTRIES = {
    "adult": Entry(
        adult,
        (len(ADULT),),
        (29305, 3256, 16281),
        files=listed("adult"),
        about="Census income (Becker and Kohavi 1996, UCI)",
        label=ADULT[-1],
    ),
    "promoters": Entry(
        promoters,
        (58,),
        (84, 11, 11),
        files=listed("promoters"),
        about="E. coli promoter gene sequences (Harley and Reynolds 1987; Towell, Shavlik and "
        "Noordewier 1990, UCI)",
        label=CLASS,
    ),
    "splice": Entry(
        splice,
        (61,),
        (2552, 319, 319),
        files=listed("splice"),
        about="Primate splice-junction gene sequences (Noordewier, Towell and Shavlik 1991, UCI)",
        label=CLASS,
    ),
}
