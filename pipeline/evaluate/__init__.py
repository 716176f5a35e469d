"""Evaluate (评估): incidents compared with the truth one to one, and how they were handled."""
