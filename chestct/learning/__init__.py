"""What retrains have brought so far, and what the next corrections may bring: numbers in, numbers out."""
