"""How bytes reach the hub: one port that recognises raw TCP, WebSocket and HTTP, clear or TLS."""
