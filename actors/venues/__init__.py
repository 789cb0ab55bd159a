"""Exchange connectivity: the link is the only file that awaits a WebSocket; the rest is pure."""
