# One image for all four services: the locked packages and the wheel, without build tools, not root.
FROM python:3.12-slim AS build
WORKDIR /src
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
RUN python -m venv /opt/tocsin
COPY requirements.lock ./
RUN /opt/tocsin/bin/pip install --no-deps --require-hashes -r requirements.lock
COPY pyproject.toml README.md LICENSE ./
COPY sensors sensors
COPY simulator simulator
COPY pipeline pipeline
COPY api api
COPY scenarios scenarios
RUN /opt/tocsin/bin/python -m hatchling build -t wheel -d /dist \
 && /opt/tocsin/bin/pip install --no-deps --no-index /dist/*.whl \
 && /opt/tocsin/bin/python -m compileall -q /opt/tocsin/lib \
 && install -d -o 10001 -g 10001 /data/broker /data/runs

FROM python:3.12-slim
ENV PATH=/opt/tocsin/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 HOME=/tmp
COPY --from=build /opt/tocsin /opt/tocsin
# Made here with their owner, so that fresh named volumes belong to the user below.
COPY --from=build --chown=10001:10001 /data /data
COPY scenarios /app/scenarios
WORKDIR /app
USER 10001:10001
ENTRYPOINT ["tocsin"]
CMD ["--help"]
