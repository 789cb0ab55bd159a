"""The map of the machine (written out when the actors stand)."""
