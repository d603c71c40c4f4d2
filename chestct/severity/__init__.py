"""The severity of a study: lungs, involvement, interval, rule, grade and cautions; NumPy and SciPy only."""
