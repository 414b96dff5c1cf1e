"""The only place that decides when: retries, liveness, beginning and end of sessions."""
