"""One file a change of the schema, in their order; a file that was released never changes."""
