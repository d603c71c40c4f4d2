"""Everything that knows Label Studio: its API, its rows, its brush masks, its projects and tasks."""
