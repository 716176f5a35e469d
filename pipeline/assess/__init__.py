"""Assess (研判): alarms become incidents with a cause, a place and a consequence."""
