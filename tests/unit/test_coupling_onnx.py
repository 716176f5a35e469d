"""A trained classifier runs as a warning model over the newest values of an element."""

import builtins
import importlib
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pipeline.adapters.onnx_model import models_from_files, onnx_model
from pipeline.errors import RuleError
from pipeline.messages import ModelFinding
from pipeline.rules import default_rules
from pipeline.rules.management import Coupling
from pipeline.warn.coupling.desk import Couplings
from sensors.readings import ReadingBatch
from sensors.registry import Registry
from simulator.randomness import stream
from tests.unit.point_town import START_MS, registry


def train(file: Path, *, is_named: bool = True) -> None:
    """Write a classifier that calls methane above 1 %VOL where pressure is below 2.2 kPa."""
    linear = pytest.importorskip("sklearn.linear_model", reason="tocsin[models] with scikit-learn")
    convert = pytest.importorskip("skl2onnx", reason="skl2onnx makes the test's file")
    types = importlib.import_module("skl2onnx.common.data_types")
    draw = stream(5, "onnx")
    features = draw.uniform([0.0, 1.5], [3.0, 3.0], (400, 2))
    label = (features[:, 0] - 2.0 * features[:, 1] > -2.0).astype(int)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = linear.LogisticRegression(C=100.0).fit(features, label)
        made = convert.convert_sklearn(
            model,
            initial_types=[("features", types.FloatTensorType([None, 2]))],
            options={"zipmap": False},
        )
    if is_named:
        entry = made.metadata_props.add()
        entry.key, entry.value = "quantities", "methane, gas_pressure"
    file.write_bytes(made.SerializeToString())


def twin() -> Registry:
    """Return the point town with the pressure device hung beside the first space."""
    devices = [registry().device(number) for number in range(len(registry()))]
    moved = [replace(one, element="GM1") if one.id == "D-GJ1" else one for one in devices]
    return Registry.of(moved)


def test_a_classifier_speaks_where_its_probability_reaches_the_threshold(tmp_path: Path) -> None:
    train(tmp_path / "leak.onnx")
    coupling = Coupling("our.leak", figures={"threshold": 0.8}, file="leak.onnx")
    rules = replace(default_rules(), couplings=(coupling,))
    devices = twin()
    desk = Couplings(devices, rules, None, models_from_files(rules, tmp_path))
    numbers = sorted([devices.number["D-GM1"], devices.number["D-GJ1"], devices.number["D-GM2"]])

    def show(minute: int, methane: float, pressure: float) -> list[Any]:
        values = {"D-GM1": methane, "D-GJ1": pressure, "D-GM2": 3.0}
        at_ms = START_MS + minute * 60_000
        batch = ReadingBatch.of(numbers, [at_ms] * 3, [values[devices.ids[n]] for n in numbers])
        return desk.judge(batch, [], at_ms)

    assert show(0, 0.1, 2.5) == []
    [found] = show(1, 2.8, 1.6)
    assert isinstance(found, ModelFinding)
    assert (found.model, found.devices, found.elements) == (
        "our.leak",
        ("D-GJ1", "D-GM1"),
        ("GM1",),
    )
    assert found.confidence > 0.8
    [over] = show(2, 0.1, 2.5)
    assert not over.is_on


def test_a_file_that_does_not_say_its_quantities_is_refused(tmp_path: Path) -> None:
    train(tmp_path / "leak.onnx", is_named=False)
    with pytest.raises(RuleError, match=r"leak\.onnx: inputs \['features'\].*metadata"):
        onnx_model(tmp_path / "leak.onnx", "our.leak")


def test_a_file_that_is_no_model_or_missing_is_refused(tmp_path: Path) -> None:
    (tmp_path / "bad.onnx").write_bytes(b"no model")
    with pytest.raises(RuleError, match=r"bad\.onnx: not a usable ONNX model"):
        onnx_model(tmp_path / "bad.onnx", "our.leak")
    with pytest.raises(RuleError, match="no such file"):
        onnx_model(tmp_path / "none.onnx", "our.leak")


def test_a_missing_file_is_told_with_the_coupling_that_names_it(tmp_path: Path) -> None:
    coupling = Coupling("our.leak", figures={}, file="none.onnx")
    rules = replace(default_rules(), couplings=(coupling,))
    with pytest.raises(RuleError, match=r"couplings\.our\.leak\.file: .*none\.onnx: no such file"):
        models_from_files(rules, tmp_path)


def test_without_onnxruntime_the_message_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    original = builtins.__import__

    def refuse(name: str, *args: Any, **kwargs: Any) -> Any:
        if name == "onnxruntime":
            raise ImportError(name)
        return original(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(RuleError, match=r"pip install 'tocsin\[models\]'"):
        onnx_model(Path("leak.onnx"), "our.leak")
