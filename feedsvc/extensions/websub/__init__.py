"""WebSub: the hubs of FEEDSVC_HUBS are told which feeds have changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from feedsvc.extension import Extension

if TYPE_CHECKING:
    from environs import Env
    from flask import Flask


class WebSubExtension(Extension):
    """Adds the setting, and a task for each hub."""

    def read_settings(self, env: Env) -> dict[str, Any]:
        """Return the hubs, which feeds name."""
        return {"hubs": env.base_urls("FEEDSVC_HUBS", "")}

    def init_app(self, app: Flask) -> None:
        """Add the tasks."""
        from feedsvc.extensions.websub.notifier import HubNotifier
        from feedsvc.services import get_services

        services = get_services(app)
        for hub in services.site.hubs:
            notifier = HubNotifier(services.database, services.site, hub)
            services.background.tasks.append(notifier.notify)


extension = WebSubExtension()
