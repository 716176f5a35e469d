"""A warning's version as a message of the Common Alerting Protocol (CAP 1.2, OASIS)."""

import zlib
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from xml.etree import ElementTree as XmlTree

from pipeline.messages import Incident, WarningNotice, WarningStatus
from pipeline.report.cap_area import CapPlaces
from pipeline.report.cap_words import CAP_STATUSES, CapWords
from pipeline.report.gazetteer import Gazetteer
from pipeline.report.grounds import Ground
from pipeline.report.words import ADVICE, CAUSES, OTHER_ADVICE, level_text, reason_text
from sensors.levels import Level

NAMESPACE = "urn:oasis:names:tc:emergency:cap:1.2"
_ALERT, _UPDATE, _CANCEL = "Alert", "Update", "Cancel"


@dataclass(slots=True)
class CapThread:
    """The messages of one warning that are out: what a later one refers to.

    Attributes:
        references: `sender,identifier,sent` of each, oldest first.
    """

    references: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class CapFacts:
    """What a message says besides its warning.

    Attributes:
        incident: Newest version of its incident; None while it is not confirmed.
        grounds: Alarms behind it, worst first.
        began_ms: When it began.
        expires_ms: Until when it holds.
    """

    incident: Incident | None
    grounds: tuple[Ground, ...]
    began_ms: int
    expires_ms: int


@dataclass(frozen=True, slots=True)
class CapMessage:
    """A finished message."""

    identifier: str
    kind: str
    references: tuple[str, ...]
    polygon: str
    circle: str
    xml: str


class CapWriter:
    """Writes CAP messages; `status` is `exercise` or `test`, never `actual` (KeyError)."""

    def __init__(
        self,
        places: CapPlaces,
        names: Gazetteer,
        words: CapWords,
        *,
        city: str,
        utc_offset_min: int,
        status: str = "exercise",
    ) -> None:
        self._places, self._names, self._words = places, names, words
        self._sender = f"tocsin@{city}.invalid"
        self._zone = timezone(timedelta(minutes=utc_offset_min))
        self._status = CAP_STATUSES[status]

    def write(self, notice: WarningNotice, thread: CapThread, facts: CapFacts) -> CapMessage:
        """Return the message of a version and add it to its thread."""
        kind = _UPDATE if thread.references else _ALERT
        if notice.status is WarningStatus.CANCELLED:
            kind = _CANCEL
        identifier, sent = self._identifier(notice), self._time(notice.time_ms)
        references = tuple(thread.references)
        place = self._circle(notice, facts)
        polygon = self._places.polygon(notice.area)
        root = XmlTree.Element("alert", xmlns=NAMESPACE)
        head = {
            "identifier": identifier,
            "sender": self._sender,
            "sent": sent,
            "status": self._status,
            "msgType": kind,
            "source": f"Tocsin, stage assess: {notice.actor}",
            "scope": "Public",
            "note": f"{self._words.note} {reason_text(notice.reason)}",
            "references": " ".join(references),
            "incidents": _quoted(notice.incident),
        }
        _add_all(root, head)
        for language in ("zh-CN", "en-US"):
            info = XmlTree.SubElement(root, "info")
            self._inform(info, language, notice, facts, kind)
            self._locate(info, notice, polygon, place)
        XmlTree.indent(root)
        text = XmlTree.tostring(root, encoding="unicode")
        xml = f'<?xml version="1.0" encoding="UTF-8"?>\n{text}\n'
        thread.references.append(f"{self._sender},{identifier},{sent}")
        return CapMessage(identifier, kind, references, polygon, place, xml)

    def _identifier(self, notice: WarningNotice) -> str:
        """Return organisation, time and number: `ZZZZZZDDDUUUXX_YYYYMMDDhhmmss_N`.

        The number is a checksum of warning and version, so it is the same in every run.
        """
        sent = self._at(notice.time_ms).strftime("%Y%m%d%H%M%S")
        number = zlib.crc32(f"{notice.id}/{notice.version}".encode())
        return f"{self._words.organisation}_{sent}_{number}"

    def _inform(
        self,
        info: XmlTree.Element,
        language: str,
        notice: WarningNotice,
        facts: CapFacts,
        kind: str,
    ) -> None:
        is_chinese, is_over = language == "zh-CN", kind == _CANCEL
        domain, level = self._words.domain(notice.domain), notice.level
        words = self._words.levels[level.colour]
        incident = facts.incident
        event = domain.zh if is_chinese else domain.en
        advice = domain.advice_zh if is_chinese else OTHER_ADVICE
        if incident is not None:
            event = self._words.causes[incident.cause.value] if is_chinese else ""
            event = event or CAUSES[incident.cause]
            advice = advice if is_chinese else ADVICE.get(incident.cause, OTHER_ADVICE)
        colour = f"{words.zh}预警" if is_chinese else f"{level.colour} warning"
        area = self._names.area(notice.area)
        headline = f"{event}{colour}({level.value}级)" if is_chinese else f"{event}: {colour}"
        if is_over:
            headline = f"解除{headline}" if is_chinese else f"Cancelled: {headline}"
            advice = "预警解除。" if is_chinese else "The warning is over."
        _add(info, "language", language)
        for category in domain.category:
            _add(info, "category", category)
        _add(info, "event", event)
        for response in ("AllClear",) if is_over else words.response:
            _add(info, "responseType", response)
        is_observed = is_measured(facts.grounds, level)
        urgency = words.urgency_observed if is_observed else words.urgency
        _add(info, "urgency", "Past" if is_over else urgency)
        _add(info, "severity", words.severity)
        _add(info, "certainty", self._certainty(facts, level))
        described = f"{area}. {level_text(level)}. {reason_text(notice.reason)}"
        if is_chinese:
            described = f"{area}，{words.zh}（{level.value}级），{event}。"
        body = {
            "effective": self._time(notice.time_ms),
            "onset": self._time(facts.began_ms),
            "expires": self._time(max(facts.expires_ms, notice.time_ms)),
            "senderName": "Tocsin (演练)" if is_chinese else "Tocsin (exercise)",
            "headline": headline,
            "description": described,
            "instruction": advice,
        }
        _add_all(info, body)
        basis = "; ".join(sorted({ground.rule for ground in facts.grounds}))
        parameters = {
            "alertLevelCode": str(level.value),
            "alertLevelColour": words.zh if is_chinese else level.colour,
            "warning": notice.id,
            "warningVersion": str(notice.version),
            "warningStatus": notice.status.value,
            "rules": basis,
        }
        for name, value in parameters.items():
            if value:
                _add_all(XmlTree.SubElement(info, "parameter"), {"valueName": name, "value": value})

    def _certainty(self, facts: CapFacts, level: Level) -> str:
        """Return how sure it is: of a forecast by its confidence, else by the level."""
        forecasts = [one.confidence for one in facts.grounds if one.confidence is not None]
        if forecasts and not is_measured(facts.grounds, level):
            return "Likely" if max(forecasts) >= self._words.likely_from.value else "Possible"
        return self._words.levels[level.colour].certainty

    def _circle(self, notice: WarningNotice, facts: CapFacts) -> str:
        radius_km = self._words.radius_of(notice.domain)
        if facts.incident is None:
            return self._places.circle(*self._places.middle(notice.area), radius_km)
        place = facts.incident.location
        return self._places.circle(place.x_m, place.y_m, radius_km)

    def _locate(
        self, info: XmlTree.Element, notice: WarningNotice, polygon: str, circle: str
    ) -> None:
        area = XmlTree.SubElement(info, "area")
        _add_all(
            area,
            {"areaDesc": self._names.area(notice.area), "polygon": polygon, "circle": circle},
        )
        code = {"valueName": "tocsin-area", "value": notice.area or "all"}
        _add_all(XmlTree.SubElement(area, "geocode"), code)

    def _time(self, time_ms: int) -> str:
        """Return a time with its zone; CAP wants UTC written as -00:00."""
        return self._at(time_ms).isoformat(timespec="seconds").replace("+00:00", "-00:00")

    def _at(self, time_ms: int) -> datetime:
        moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=time_ms)
        return moment.astimezone(self._zone)


def is_measured(grounds: tuple[Ground, ...], level: Level) -> bool:
    """Return whether an alarm of the level or worse is measured, not forecast."""
    return any(
        ground.confidence is None and not level.is_worse_than(ground.level) for ground in grounds
    )


def _add(parent: XmlTree.Element, name: str, text: str) -> None:
    XmlTree.SubElement(parent, name).text = text


def _add_all(parent: XmlTree.Element, texts: dict[str, str]) -> None:
    """Add elements in order; one without a text is left out."""
    for name, text in texts.items():
        if text:
            _add(parent, name, text)


def _quoted(name: str) -> str:
    """Return a name as CAP lists want it: in quotes when it has a space."""
    return f'"{name}"' if " " in name else name
