"""What a reader should see next: pure arithmetic on a table of open slices (numpy only)."""
