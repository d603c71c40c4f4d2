"""Names of the queues and, as dotted paths, of the jobs.

A job is enqueued by its dotted name so that `ml_backend` and `training` never import each other;
`tests/contracts/test_job_names.py` resolves every one.
"""

QUICK = "lungloop-quick"
TRAIN = "lungloop-train"

SYNC = "ml_backend.jobs.sync"
PREANNOTATE = "ml_backend.jobs.preannotate"
FOLLOW_CHAMPION = "ml_backend.jobs.follow_champion"
ORDER = "ml_backend.jobs.settle_next_places"
RETRAIN = "training.jobs.retrain"
SIMULATE_CELL = "training.jobs.simulate_cell"

# What `status` calls a running job.
KINDS = {
    SYNC: "sync",
    PREANNOTATE: "preannotate",
    FOLLOW_CHAMPION: "follow champion",
    ORDER: "order",
    RETRAIN: "retrain",
    SIMULATE_CELL: "simulate",
}
JOB_NAMES = tuple(KINDS)
