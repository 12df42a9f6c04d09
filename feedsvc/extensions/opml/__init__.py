"""OPML: the list of all feeds, at `/feeds.opml`."""

from flask import Flask

from feedsvc.extension import Extension


class OpmlExtension(Extension):
    """Adds the URL."""

    def init_app(self, app: Flask) -> None:
        """Add the view."""
        from feedsvc.extensions.opml.view import blueprint

        app.register_blueprint(blueprint)


extension = OpmlExtension()
