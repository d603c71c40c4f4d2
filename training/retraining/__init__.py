"""From a request to a decision: snapshot, challenger, gate, promotion."""
