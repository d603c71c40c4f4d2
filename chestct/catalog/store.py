"""What every store of the catalog stands on."""

from chestct.catalog.database import Database
from chestct.catalog.storage import Storage


class Store:
    """The questions and changes of one noun; `Catalog` holds them all.

    Args:
        database: rows.
        storage: files that the rows name.
    """

    def __init__(self, database: Database, storage: Storage) -> None:
        self._database = database
        self._storage = storage
