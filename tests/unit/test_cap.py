"""CAP 1.2: each version of a warning that is out validates, says Exercise, names the earlier."""

from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree as XmlTree

import numpy as np
import pytest
import xmlschema

from api.results import write_caps
from pipeline.errors import RuleError
from pipeline.event_log import EventLog
from pipeline.messages import (
    Bulletin,
    BulletinKind,
    Cause,
    Message,
    WarningNotice,
    WarningStatus,
)
from pipeline.report.cap_area import CapPlaces, Origin, hull
from pipeline.report.cap_words import cap_words, read_cap_words
from pipeline.report.stage import ReportStage
from pipeline.rules import ResponseLimits
from pipeline.runners.outgoing import Outgoing
from sensors.levels import Level
from tests.unit.loop_messages import HOUR, MIN, T0, alarm, incident, town, warning

SCHEMA = xmlschema.XMLSchema(Path(__file__).parent.parent / "data" / "cap" / "CAP-v1.2.xsd")
CAP = "{urn:oasis:names:tc:emergency:cap:1.2}"
LIMITS = {
    level: ResponseLimits(
        level, "city centre", ("police", "gas firm"), 5, 5, 5, 5, 1, 4, 30, "flash", 30.0
    )
    for level in Level
}
ISSUED, UPDATED = WarningStatus.ISSUED, WarningStatus.UPDATED
UPGRADED, DOWNGRADED = WarningStatus.UPGRADED, WarningStatus.DOWNGRADED
CANCELLED, WAITING = WarningStatus.CANCELLED, WarningStatus.AWAITING_APPROVAL


def stage_of(status: str = "exercise") -> ReportStage:
    return ReportStage(town(), LIMITS, cap_status=status)


def version(number: int, status: WarningStatus, level: Level = Level.YELLOW) -> WarningNotice:
    return warning(status, T0 + number * MIN, version=number, level=level, incident="I-1")


def notices(stage: ReportStage, *messages: Message) -> list[Bulletin]:
    said = stage.on_batch(messages, T0 + HOUR)
    return [one for one in said if isinstance(one, Bulletin) and one.kind is BulletinKind.NOTICE]


def read(bulletin: Bulletin) -> XmlTree.Element:
    SCHEMA.validate(bulletin.cap)
    return XmlTree.fromstring(bulletin.cap)


def text(root: XmlTree.Element, *path: str) -> list[str]:
    return [one.text or "" for one in root.findall("/".join(CAP + name for name in path))]


def parameters(root: XmlTree.Element) -> dict[str, str]:
    names = text(root, "info", "parameter", "valueName")
    return dict(zip(names, text(root, "info", "parameter", "value"), strict=True))


@pytest.mark.parametrize("level", list(Level))
@pytest.mark.parametrize("cause", [None, *Cause])
def test_every_level_and_cause_validates(level: Level, cause: Cause | None) -> None:
    known = [] if cause is None else [incident(cause=cause, level=level)]
    [notice] = notices(stage_of(), *known, version(2, ISSUED, level))
    root = read(notice)
    assert text(root, "status") == ["Exercise"]
    assert text(root, "info", "language") == ["zh-CN", "en-US"]
    assert parameters(root)["alertLevelCode"] == str(level.value)
    assert [name for name, value in notice.fields.items() if not value.strip()] == []


def test_updates_and_the_cancel_refer_to_every_earlier_message() -> None:
    wanted = [ISSUED, UPGRADED, DOWNGRADED, UPDATED, CANCELLED]
    said = notices(
        stage_of(), incident(), *(version(n, status) for n, status in enumerate(wanted, start=2))
    )
    roots = [read(one) for one in said]
    assert [text(root, "msgType")[0] for root in roots] == [
        "Alert",
        "Update",
        "Update",
        "Update",
        "Cancel",
    ]
    named = [
        ",".join(text(root, name)[0] for name in ("sender", "identifier", "sent")) for root in roots
    ]
    assert len(set(named)) == len(named)
    for number, root in enumerate(roots):
        assert " ".join(text(root, "references")) == " ".join(named[:number])
    assert set(text(roots[-1], "info", "responseType")) == {"AllClear"}


def test_what_never_went_out_gives_no_message() -> None:
    versions = [version(1, WarningStatus.DRAFT), version(2, WAITING), version(3, CANCELLED)]
    assert notices(stage_of(), incident(), *versions) == []


def test_a_warning_issued_again_after_its_cancel_is_a_new_alert() -> None:
    said = notices(stage_of(), version(2, ISSUED), version(3, CANCELLED), version(4, ISSUED))
    assert [text(read(one), "msgType") for one in said] == [["Alert"], ["Cancel"], ["Alert"]]


@pytest.mark.parametrize(
    ("level", "words"),
    [
        (Level.RED, ("Immediate", "Extreme", "Observed")),
        (Level.ORANGE, ("Expected", "Severe", "Likely")),
        (Level.YELLOW, ("Expected", "Moderate", "Likely")),
        (Level.BLUE, ("Future", "Minor", "Possible")),
    ],
)
def test_a_level_reads_as_the_mapping_says(level: Level, words: tuple[str, str, str]) -> None:
    [notice] = notices(stage_of(), version(2, ISSUED, level))
    info = read(notice).find(f"{CAP}info")
    assert info is not None
    assert tuple(text(info, name)[0] for name in ("urgency", "severity", "certainty")) == words


@pytest.mark.parametrize(
    ("confidence", "urgency", "certainty"),
    [(None, "Immediate", "Likely"), (0.8, "Expected", "Likely"), (0.3, "Expected", "Possible")],
)
def test_a_forecast_is_as_certain_as_it_says_and_a_measurement_is_urgent(
    confidence: float | None, urgency: str, certainty: str
) -> None:
    one = alarm(level=Level.ORANGE, confidence=confidence)
    [notice] = notices(stage_of(), one, incident(), version(2, ISSUED, Level.ORANGE))
    root = read(notice)
    assert set(text(root, "info", "urgency")) == {urgency}
    assert set(text(root, "info", "certainty")) == {certainty}


def test_a_message_may_be_a_test_and_never_actual() -> None:
    [notice] = notices(stage_of("test"), version(2, ISSUED))
    assert text(read(notice), "status") == ["Test"]
    with pytest.raises(KeyError):
        stage_of("actual")


def test_a_notice_names_the_numbers_behind_it_and_who_approved() -> None:
    approved = warning(ISSUED, T0, version=3, incident="I-1", actor="Chief Li")
    [notice] = notices(stage_of(), alarm(), incident(), approved)
    assert notice.fields["basis"] == (
        "water.pressure_drop at WP-1: 0.1 against 0.05, level III yellow (level 3)"
    )
    assert notice.fields["approver"] == "Chief Li"
    assert notice.fields["joint_units"] == "police, gas firm"


def test_time_is_the_citys_and_utc_is_written_as_cap_wants_it() -> None:
    for offset_min, sent in ((480, "2026-07-01T08:02:00+08:00"), (0, "2026-07-01T00:02:00-00:00")):
        stage = ReportStage(town(), LIMITS, utc_offset_min=offset_min)
        [notice] = notices(stage, version(2, ISSUED))
        assert text(read(notice), "sent") == [sent]


# --- where it holds ---


def test_a_place_is_told_as_polygon_and_circle_in_degrees() -> None:
    rows = [(0.0, 0.0), (1000.0, 0.0), (1000.0, 1000.0), (0.0, 1000.0), (500.0, 500.0)]
    assert hull(np.array(rows)) == ((0.0, 0.0), (1000.0, 0.0), (1000.0, 1000.0), (0.0, 1000.0))
    assert hull(np.array([(0.0, 0.0), (1.0, 1.0), (2.0, 2.0)])) == ()
    places = CapPlaces(town(), Origin(123.4, 60.0))
    latitude, longitude = Origin(123.4, 60.0).degrees(1000.0, 1000.0)
    assert latitude == pytest.approx(60.0 + 1 / 111.195, abs=1e-6)
    assert longitude == pytest.approx(123.4 + 2 / 111.195, abs=1e-6)
    assert places.circle(0.0, 0.0, 0.5) == "60.000000,123.400000 0.5"
    assert places.polygon("D01") == ""  # a street has no width


# --- where it goes ---


def test_it_goes_out_as_xml_and_lies_in_the_run_folder(tmp_path: Path) -> None:
    said: Sequence[Bulletin] = notices(stage_of(), version(2, ISSUED), version(3, CANCELLED))
    log, outgoing = EventLog(), Outgoing("town")
    sent = [outgoing.of(one) for one in said]
    assert [one and one[1] for one in sent] == [
        "tocsin/town/platform/cap/W-1-v2",
        "tocsin/town/platform/cap/W-1-v3",
    ]
    assert write_caps(tmp_path / "cap", [log.add(one) for one in said]) == 2
    for one, out in zip(said, sent, strict=True):
        assert out is not None
        assert out[2].decode() == one.cap
        assert (tmp_path / "cap" / f"{one.id}.xml").read_text(encoding="utf-8") == one.cap


# --- the words file ---


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("  biogas: 污水井沼气\n", "", "causes: biogas missing"),
        ("basis: proposed", "basis: guessed", "levels.red.basis: 'guessed'"),
        ('organisation: "00000000000000"', "organisation: abc", "organisation: 'abc'"),
        ("severity: Extreme", "severity: 3", "severity"),
    ],
)
def test_a_wrong_words_file_is_refused_by_name(old: str, new: str, said: str) -> None:
    good = (Path(__file__).parents[2] / "pipeline" / "report" / "cap.yaml").read_text("utf-8")
    assert read_cap_words(good, "cap.yaml") == cap_words()
    with pytest.raises(RuleError, match=r"mine\.yaml") as error:
        read_cap_words(good.replace(old, new, 1), "mine.yaml")
    assert said in str(error.value)
