"""Declarative tests of rules in relative time: input series in, expected alarms out."""
