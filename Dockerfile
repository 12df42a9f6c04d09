# The service in a slim image, as a user without rights. The database is in /data.
FROM python:3.11-slim

ENV PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
WORKDIR /app
COPY deploy/requirements.txt .
RUN pip install --no-cache-dir --require-hashes -r requirements.txt \
 && useradd --system --uid 10001 --no-create-home feedsvc \
 && install -d -o feedsvc -g feedsvc /data
COPY config.py wsgi.py ./
COPY feedsvc feedsvc

USER feedsvc
ENV HOST=0.0.0.0 PORT=8000 FEEDSVC_DATABASE_URL=sqlite:////data/feedsvc.db
VOLUME /data
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=3s \
  CMD ["python", "-c", "import os, urllib.request as u; u.urlopen(f'http://127.0.0.1:{os.environ[\"PORT\"]}/readyz', timeout=2)"]
CMD ["gunicorn", "-c", "python:feedsvc.server.gunicorn_conf", "wsgi:app"]
