"""The built-in exchange: engine and world are pure; one server face a venue."""
