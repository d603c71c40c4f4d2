"""What every part of the catalog stands on."""

from chestct.catalog.database import Database
from chestct.catalog.storage import Storage


class Store:
    """One subject's questions and changes; `Catalog` joins them all.

    Args:
        database: rows.
        storage: files that the rows name.
    """

    def __init__(self, database: Database, storage: Storage) -> None:
        self._database = database
        self.storage = storage
