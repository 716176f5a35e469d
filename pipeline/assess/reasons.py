"""Named reasons of every decision the assessment takes."""

from enum import StrEnum


class Reason(StrEnum):
    """Why an incident or a warning got its newest version."""

    ALARM_OPENED = "alarm_opened"
    ALARMS_JOINED = "alarms_joined"
    ALARM_WORSE = "alarm_worse"
    EVIDENCE_STRONGER = "evidence_stronger"
    LEAK_FITS_RESIDUALS = "leak_fits_residuals"
    LARGEST_DROP_WITHOUT_MODEL = "largest_drop_without_model"
    PUMPS_STAND_AND_PRESSURE_LOW = "pumps_stand_and_pressure_low"
    PUMPS_STAND_AND_TANK_EMPTY = "pumps_stand_and_tank_empty"
    SEVERAL_DEVICES_LOW_NO_LEAK_FITS = "several_devices_low_no_leak_fits"
    UNEXPLAINED_CHANGE = "unexplained_change"
    EXPLAINED_BY_OPERATION = "explained_by_operation"
    EXPLAINED_BY_MODEL = "explained_by_model"
    NEIGHBOURS_CONTRADICT_DEVICE = "neighbours_contradict_device"
    DEVICE_DOUBTFUL = "device_doubtful"
    ALARMS_WITHDRAWN = "alarms_withdrawn"
    EVIDENCE_TOO_WEAK = "evidence_too_weak"
    PART_OF_OPEN_INCIDENT = "part_of_open_incident"
    RELOCATED = "relocated"
    CLOSED_BY_SUPERVISION = "closed_by_supervision"
    MERGED_INTO_INCIDENT = "merged_into_incident"
    METHANE_HELD_ABOVE_LIMIT = "methane_held_above_limit"
    METHANE_IN_SEVERAL_SPACES = "methane_in_several_spaces"
    METHANE_AND_PRESSURE_AGREE = "methane_and_pressure_agree"
    GAS_PRESSURE_LOW = "gas_pressure_low"
    SLOW_RISE_IN_ONE_SPACE = "slow_rise_in_one_space"
    WATER_STANDS = "water_stands"
    PUMP_MEASURED_STANDING = "pump_measured_standing"
    DRAINS_FULL = "drains_full"
    HYDRANT_PRESSURE_LOW = "hydrant_pressure_low"
    HEAVY_RAIN = "heavy_rain"
    CLOSURE_DEPTH_REACHED = "closure_depth_reached"
    WATER_GONE = "water_gone"
    WATER_BACK = "water_back"


class Adjustment(StrEnum):
    """Why a level differs from the evidence level (domain rule set, `risk.adjust`)."""

    KINDS_AGREE = "two_kinds_of_sensor_agree"
    HIGH_CONSEQUENCE = "high_consequence"
    UNCORROBORATED = "one_uncorroborated_doubtful_sensor"
    RED_NEVER_LOWERED = "red_never_lowered"
    HELD_AS_BIOGAS = "held_as_biogas"
    NOTICE_ONLY = "notice_only"
