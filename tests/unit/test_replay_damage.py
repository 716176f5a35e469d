"""Damaged recordings are refused; what was cut short is compared as far as it got."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from api.commands.errors import run_guarded
from api.importing.writing import import_series
from api.library import find_scenario
from api.plan import plan_run
from api.replaying.session import ReplaySession
from api.replaying.source import Recording
from api.rule_choice import keep_rules
from api.session import RunSession
from pipeline.rules import default_rules
from pipeline.rules.management import Coupling
from sensors.errors import TransportError

EXAMPLE = Path(__file__).parents[2] / "examples" / "import"
SHORT = Path(__file__).parents[1] / "data" / "short-burst.yaml"


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of an imported recording."""
    folder = tmp_path_factory.mktemp("whole") / "rec"
    import_series(EXAMPLE / "pressure.yaml", [EXAMPLE / "pressure.csv"], folder)
    return folder


@pytest.fixture(scope="module")
def burst(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a recorded run."""
    folder = tmp_path_factory.mktemp("burst") / "run"
    file = find_scenario(str(SHORT))
    with RunSession(plan_run(file.scenario, file.path), folder) as session:
        while not session.is_over:
            session.step()
        session.finish()
    return folder


def _part(folder: Path) -> Path:
    return folder / "readings" / "part-00000.parquet"


def _cut(folder: Path) -> None:
    pq.write_table(pq.read_table(_part(folder)).slice(0, 300), _part(folder))


def _add(folder: Path) -> None:
    shutil.copy(_part(folder), _part(folder).with_name("part-00001.parquet"))


def _foreign(folder: Path) -> None:
    table = pq.read_table(_part(folder))
    place = table.schema.get_field_index("device")
    devices = table.column("device").to_numpy() + np.int32(40)
    pq.write_table(table.set_column(place, table.schema.field(place), [devices]), _part(folder))


def _manifest(folder: Path, **keys: object) -> None:
    file = folder / "manifest.json"
    manifest = json.loads(file.read_text(encoding="utf-8")) | keys
    file.write_text(json.dumps(manifest), encoding="utf-8")


DAMAGE: list[tuple[Callable[[Path], object], str]] = [
    (_cut, r"readings: 300 readings, but manifest.json .* tells of 865; put back"),
    (_add, r"readings: 1,730 readings, but manifest.json .* tells of 865; .*remove foreign"),
    (_foreign, r"part-00000.parquet: device 42: the registry .* has 3"),
    (lambda folder: _manifest(folder, seed="abc"), r"manifest.json: seed = 'abc': no whole number"),
    (lambda folder: _part(folder).write_bytes(b"x"), r"part-00000.parquet is damaged"),
]


@pytest.mark.parametrize(("damage", "told"), DAMAGE)
def test_a_damaged_recording_is_refused(
    damage: Callable[[Path], object], told: str, whole: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "rec"
    shutil.copytree(whole, folder)
    damage(folder)
    with pytest.raises(TransportError, match=told):
        Recording.open(folder)


def test_a_recording_that_was_cut_short_has_no_count_to_hold_it_against(
    whole: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "rec"
    shutil.copytree(whole, folder)
    _cut(folder)
    _manifest(folder, complete=False)
    assert sum(len(tick.frames) for tick in Recording.open(folder).ticks()) > 0
    (folder / "manifest.json").unlink()
    assert Recording.open(folder).manifest == {}


def test_frames_lost_or_sent_twice_are_no_damage(whole: Path, tmp_path: Path) -> None:
    folder = tmp_path / "rec"
    shutil.copytree(whole, folder)
    told = {"imported": False, "readings": {"published": 900, "lost": 35}}
    _manifest(folder, **told)
    Recording.open(folder)
    _manifest(folder, **told | {"readings": {"published": 870, "lost": 35}})
    _manifest(folder, frames={"duplicate": 2})
    Recording.open(folder)
    _manifest(folder, frames={"duplicate": 0})
    with pytest.raises(TransportError, match=r"865 readings, .* tells of 835"):
        Recording.open(folder)


@pytest.mark.parametrize(("ticks", "alarms"), [(15, 0), (90, 5)])
def test_a_replay_that_is_broken_off_is_compared_as_far_as_it_got(
    ticks: int, alarms: int, burst: Path, tmp_path: Path
) -> None:
    recording = Recording.open(burst)
    with ReplaySession(recording, default_rules(), tmp_path / "half") as replay:
        while replay.playback.tick < ticks:
            replay.step()
        recorded = replay.finish().summary["recorded"]
    assert recorded["is_same"]
    assert recorded["alarms"]["same"] >= alarms
    assert (recorded["alarms"]["only_recorded"], recorded["incidents"]["only_recorded"]) == ([], [])


def test_the_files_of_couplings_are_kept_beside_the_rules(tmp_path: Path) -> None:
    source, folder = tmp_path / "rules", tmp_path / "run"
    (source / "models").mkdir(parents=True)
    (source / "models" / "leak.onnx").write_bytes(b"model")
    (tmp_path / "outside.onnx").write_bytes(b"elsewhere")
    names = ("models/leak.onnx", "../outside.onnx", str(tmp_path / "outside.onnx"), "none.onnx")
    couplings = tuple(
        Coupling(f"our.model{number}", figures={}, file=name) for number, name in enumerate(names)
    )
    rules = replace(
        default_rules(), source=str(source / "rules.yaml"), text="format: 1\n", couplings=couplings
    )
    keep_rules(folder, rules)
    kept = {str(one.relative_to(folder)) for one in folder.rglob("*") if one.is_file()}
    assert kept == {"rules.yaml", "models/leak.onnx"}
    keep_rules(folder, replace(rules, source=str(folder / "rules.yaml")))  # onto itself
    assert (folder / "models" / "leak.onnx").read_bytes() == b"model"


def test_an_interruption_that_typer_takes_first_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    import typer

    def leave(**_: object) -> None:
        raise typer.Exit(130)

    assert run_guarded(leave) == 130
    assert capsys.readouterr().err == "tocsin: interrupted\n"
