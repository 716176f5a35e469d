"""Report (通报): flash, follow-up and final bulletins of a case, and the summary of a run."""
