"""Pictures of slices for people: findings and uncertainty over grey."""
