"""A postman in a process of its own, for tests that let it die: `dying_postman.py DSN PORT`."""

import asyncio
import sys

from notifications.postman import Postman
from notifications.relay import RelaySettings
from service.database import Database
from tests.notifications.builders import SENDER, AClerk


async def main(dsn: str, port: int) -> None:
    """Deliver everything that is due, unless the environment names a point to die at."""
    relay = RelaySettings(host="127.0.0.1", port=port, mode="plain", connections=2)
    async with Database(dsn, pool_size=4) as database:
        postman = Postman(database, relay, AClerk(), SENDER)
        await postman.deliver()
        await postman.stop()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
