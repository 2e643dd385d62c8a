"""What Piccolo looks for; importing it opens no connection."""

from piccolo.conf.apps import AppRegistry

from service.engine import ENGINE as DB

APP_REGISTRY = AppRegistry(apps=["notifications.piccolo_app", "service.piccolo_app"])

__all__ = ["APP_REGISTRY", "DB"]
