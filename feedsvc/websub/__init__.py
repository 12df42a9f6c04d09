"""WebSub: pings of external hubs. The extra `websub` installs what it needs."""
