"""WHIP (RFC 9725), the client's side: HTTP requests and their answers, no media and no retries."""
