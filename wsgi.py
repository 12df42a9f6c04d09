"""The WSGI entry point, in a checkout: that of feedsvc/wsgi.py."""

from feedsvc.wsgi import app as app
