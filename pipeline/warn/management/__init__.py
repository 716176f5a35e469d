"""Alarm management: ISA-18.2 standings, shelving, silences, floods, chatter."""
