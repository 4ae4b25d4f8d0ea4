# The chat page as a container: not root, one volume for the index and what people do, everything else read-only.
#   docker compose up        (compose.yaml has the ports, the limits and where the reports lie)
FROM python:3.12-slim-bookworm AS build
WORKDIR /source
COPY pyproject.toml constraints.txt README.md LICENSE NOTICE app.py ./
COPY rag rag
COPY corpus corpus
COPY eval eval
RUN python -m venv /opt/provenote \
    && /opt/provenote/bin/pip install --no-cache-dir --disable-pip-version-check --quiet -c constraints.txt .

FROM python:3.12-slim-bookworm
COPY --from=build /opt/provenote /opt/provenote
RUN useradd --system --uid 10001 --home-dir /data --shell /usr/sbin/nologin provenote \
    && install -d -o provenote -g provenote /data /reports
ENV PATH=/opt/provenote/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 HOME=/tmp
USER provenote
WORKDIR /data
VOLUME /data
EXPOSE 7860
HEALTHCHECK --interval=30s --timeout=5s --start-period=120s \
    CMD ["python", "-c", "import http.client as h; c = h.HTTPConnection('127.0.0.1', 7860, timeout=4); c.request('GET', '/'); raise SystemExit(c.getresponse().status >= 500)"]
# Another address than 127.0.0.1 needs a login: /data/users, made with `python -m rag.web.login NAME` (docs/deployment.md).
CMD ["rag", "serve", "--host", "0.0.0.0", "--auth-file", "/data/users"]
