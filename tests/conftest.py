"""Puts this folder's kits within reach of the folders below."""
