"""Tests of the whole program, through its command and a real broker."""
