# A small image of the gateway. Its options follow the image's name: docker run ocpp_tw --base-url http://backend:8000
ARG PYTHON=3.13

FROM python:${PYTHON}-slim AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /src
# For the compiled modules; the image has no compiler in the end.
RUN apt-get update && apt-get install -y --no-install-recommends gcc libc6-dev && rm -rf /var/lib/apt/lists/*
RUN python -m venv /opt/ocpp_tw
COPY setup.cfg pyproject.toml setup.py fetch_libraries.py README.md LICENSE ./
COPY ocpp_tw ocpp_tw
COPY twisted twisted
# Build a wheel, then install it with its dependencies: the image has what users install, not a checkout. The pages' libraries come from the npm registry.
ARG NPM_CONFIG_REGISTRY=
ARG OCPP_TW_WITHOUT_PAGES=
ARG OCPP_TW_WITHOUT_COMPILED=
RUN pip wheel --no-deps --wheel-dir /wheel . \
 && /opt/ocpp_tw/bin/pip install /wheel/*.whl
# A module that cannot be compiled is left out of a wheel; here that is an error.
RUN cd / && /opt/ocpp_tw/bin/python -c 'import os, sys; from ocpp_tw.ocpp import compiled as c; sys.exit("" if c.IS_USED or os.environ.get(c.WITHOUT) else c.WHY_NOT)'

FROM python:${PYTHON}-slim
ARG VERSION=0.1.0
LABEL org.opencontainers.image.title="ocpp_tw" \
      org.opencontainers.image.description="The gateway between EV chargers (OCPP) and the backend of the company that operates them, over Redis" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="${VERSION}"
ENV PATH=/opt/ocpp_tw/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
# /var/lib/ocpp_tw: the spool, and the data of the embedded Valkey if no Redis is configured. Also the user's home and the working directory, where a .env would be read.
RUN groupadd --system --gid 10001 ocpp \
 && useradd --system --uid 10001 --gid ocpp --home-dir /var/lib/ocpp_tw --shell /usr/sbin/nologin ocpp \
 && install --directory --owner=ocpp --group=ocpp /var/lib/ocpp_tw
COPY --from=build /opt/ocpp_tw /opt/ocpp_tw
# Twisted caches the list of plugins beside them. The gateway may not write there, so the cache is made now; a build without the plugin fails here.
RUN twistd --help | grep ' ocpp '
WORKDIR /var/lib/ocpp_tw
# Events in the spool have been acknowledged to chargers: it must outlive the container.
VOLUME /var/lib/ocpp_tw
USER 10001:10001
EXPOSE 10800 10801
STOPSIGNAL SIGTERM
# Where the gateway's own options and variables say that operators' HTTP is.
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s --retries=3 \
  CMD ["ocpp-tw", "health", "--pid", "1"]
# No pid file: in a restarted container the pid in a stale one is our own, and twistd would refuse to start.
ENTRYPOINT ["twistd", "--pidfile=", "-n", "ocpp"]
