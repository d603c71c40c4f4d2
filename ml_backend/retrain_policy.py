"""When enough corrections have come in to ask for a retrain without being told."""


def retrain_is_due(corrections_since_last: int, retrain_every: int) -> bool:
    """True where the policy asks for a retrain.

    Args:
        corrections_since_last: usable corrections that no retrain has seen.
        retrain_every: the setting of that name; 0 means "only when asked".
    """
    return retrain_every > 0 and corrections_since_last >= retrain_every
