"""What `lungloop fit`, `evaluate` and `models mean` do, free of the command line."""
