"""What every handler, tick and use case gets: made once in `service.app`, never changed."""

from dataclasses import dataclass, field

from service.clock import Clock
from service.database import Database
from service.footprints import Footprints
from service.pages.rendering import Pages
from service.settings import Settings
from service.tokens import Keys


@dataclass(frozen=True, slots=True)
class Services:
    """The running parts of one process."""

    settings: Settings
    database: Database
    pages: Pages
    clock: Clock
    keys: Keys
    footprints: Footprints = field(default_factory=Footprints)
