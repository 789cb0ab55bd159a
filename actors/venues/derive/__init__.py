"""Derive API v3."""
