# The service in a slim image, as an unprivileged user. The database is in /data. `make image` builds it.
ARG BASE=docker.io/library/python:3.13-slim
FROM ${BASE}

ENV PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
WORKDIR /app
COPY deploy/requirements.txt .
# The number is one of the system's users, and what deploy/kubernetes.yaml runs as.
RUN pip install --no-cache-dir --require-hashes -r requirements.txt \
 && groupadd --system --gid 990 feedsvc \
 && useradd --system --uid 990 --gid 990 --no-create-home feedsvc \
 && install -d -o feedsvc -g feedsvc /data
COPY feedsvc feedsvc

USER feedsvc
ENV HOST=0.0.0.0 PORT=8000 FEEDSVC_DATABASE_URL=sqlite:////data/feedsvc.db
VOLUME /data
EXPOSE 8000
# Only Docker's format has it: without --format=docker Buildah and Podman leave it out.
HEALTHCHECK --interval=10s --timeout=3s \
  CMD ["python", "-c", "import os, urllib.request as u; u.urlopen(f'http://127.0.0.1:{os.environ[\"PORT\"]}/readyz', timeout=2)"]
CMD ["python", "-m", "feedsvc", "serve"]
