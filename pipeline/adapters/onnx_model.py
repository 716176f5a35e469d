"""Warning models from ONNX files: trained elsewhere, run here over columns of newest values.

Needs the optional extra `tocsin[models]` (onnxruntime). The file says which quantities are its
features: either one input a quantity, named after it, of shape (n, 1); or one input of shape
(n, k) and the metadata entry `quantities` with their names in order, separated by commas. Its
last output of floats is the probability, (n,), (n, 1) or (n, 2) with the second column counting.
"""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from pipeline.errors import RuleError
from pipeline.rules import RuleSet
from pipeline.warn.coupling.claims import WarningModel
from pipeline.warn.coupling.columns import ColumnModel, level_figure
from pipeline.warn.coupling.registry import Registered
from pipeline.warn.coupling.site import Site
from pipeline.warn.coupling.specs import Figure, ModelSpec
from sensors.levels import Level
from sensors.quantities import QUANTITIES
from sensors.readings import Floats

_FIGURES: Mapping[str, Figure] = MappingProxyType(
    {
        "threshold": Figure(0.5, "1", "proposed: the odds are even"),
        "age_min": Figure(60.0, "min", "proposed: an older value is none"),
        "level": Figure(3, "1", "proposed: 1 red to 4 blue; a model alone at most yellow"),
        "linger_min": Figure(0.0, "min", "proposed"),
    }
)


class OnnxScorer:
    """A trained model in an ONNX session, on one thread so that results do not vary."""

    def __init__(self, session: Any, inputs: tuple[str, ...], output: str) -> None:
        self._session, self._inputs, self._output = session, inputs, output

    def score(self, features: Floats) -> Floats:
        """Return the probability, (n,) 0 to 1, for features (n, quantities)."""
        columns = features.astype(np.float32)
        if len(self._inputs) == 1:
            fed = {self._inputs[0]: columns}
        else:
            fed = {name: columns[:, k : k + 1] for k, name in enumerate(self._inputs)}
        [scores] = self._session.run([self._output], fed)
        table = np.asarray(scores, dtype=np.float64).reshape(len(features), -1)
        probability: Floats = table[:, -1]
        return probability


def onnx_model(file: Path, model: str) -> Registered:
    """Return the model in an ONNX file, to be registered under the id `model`.

    Raises:
        RuleError: onnxruntime is missing, or the file is none, or not shaped as said above.
    """
    session = _session(file)
    inputs = tuple(str(one.name) for one in session.get_inputs())
    meta = session.get_modelmeta().custom_metadata_map
    quantities = inputs
    if len(inputs) == 1 and "quantities" in meta:
        quantities = tuple(name.strip() for name in str(meta["quantities"]).split(","))
    unknown = [name for name in quantities if name not in QUANTITIES]
    if unknown:
        raise RuleError(
            f"{file}: inputs {list(quantities)}: {unknown} are no quantities; name each input "
            f"after one of {', '.join(QUANTITIES)}, or list them in the metadata `quantities`"
        )
    scorer = OnnxScorer(session, inputs, _output(session, file))

    def build(site: Site, figures: Mapping[str, float]) -> WarningModel:
        level = level_figure(figures, Level.YELLOW)
        return ColumnModel(
            site, scorer, quantities, figures["threshold"], figures["age_min"], level
        )

    return Registered(_spec(model, file, quantities, str(meta.get("version", "1"))), build)


def models_from_files(rules: RuleSet, folder: Path) -> tuple[Registered, ...]:
    """Return the models that a rule set's couplings name by file, relative to `folder`.

    Raises:
        RuleError: as `onnx_model`, and names the coupling.
    """
    found = []
    for one in rules.couplings:
        if not (one.file and one.is_on):
            continue
        try:
            found.append(onnx_model(folder / one.file, one.model))
        except RuleError as error:
            raise RuleError(f"{rules.source}: couplings.{one.model}.file: {error}") from error
    return tuple(found)


def _session(file: Path) -> Any:
    try:
        import onnxruntime  # type: ignore[import-untyped]
    except ImportError as error:
        raise RuleError(
            f"{file}: warning models from files need onnxruntime; "
            "install it with: pip install 'tocsin[models]'"
        ) from error
    if not file.is_file():
        raise RuleError(f"{file}: no such file; give the path of an ONNX model")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime raises classes of its own, without a common root
        raise RuleError(f"{file}: not a usable ONNX model ({error}); convert it again") from error


def _output(session: Any, file: Path) -> str:
    tensors = [str(one.name) for one in session.get_outputs() if one.type == "tensor(float)"]
    if not tensors:
        types = [str(one.type) for one in session.get_outputs()]
        raise RuleError(
            f"{file}: outputs {types}: none is a tensor of floats; convert a scikit-learn "
            "classifier with options={'zipmap': False}"
        )
    return tensors[-1]


def _spec(model: str, file: Path, quantities: tuple[str, ...], version: str) -> ModelSpec:
    return ModelSpec(
        id=model,
        version=version,
        title=f"trained model {file.name}",
        domain=model.split(".", 1)[0],
        inputs=quantities,
        outputs=("its level where the probability reaches the threshold",),
        effect="raise",
        linger="linger_min",
        may_not_claim="a cause, or anything at an element without all its quantities",
        figures=_FIGURES,
    )
