"""What a person types and sees: command line, configuration, secrets, plan, live table."""
