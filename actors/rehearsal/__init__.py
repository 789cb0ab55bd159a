"""The real actors against the real paper exchange in one process, on a virtual clock: rehearsals and whole-cell tests."""
