"""The demo that closes: phantoms as patients, and a synthetic reader who knows their truth."""
