# Tonewall as a container: built from Debian's and PyPI's packages only; the final image has no compiler and no root process.
#   docker build -t tonewall .
#   docker run --network host --ulimit memlock=-1 -v ./sip.conf:/etc/tonewall/sip.conf:ro -v tonewall:/var/lib/tonewall tonewall

# BASE should be given by digest, which names one image for ever: --build-arg BASE=debian:bookworm-slim@sha256:DIGEST, as
# `docker buildx imagetools inspect debian:bookworm-slim` prints it. No digest stands here, since none could be verified where
# this file was written. Every Python package, those that build included, is held to a hash; Debian's packages to its archive key.
# CODECS=no leaves out PyAV and the FFmpeg in it, and with them all GPL code (NOTICE); set other_audio = refuse or mute then.
# POSTGRESQL=yes adds psycopg (LGPL), by which records go to PostgreSQL.
# SOURCE_DATE_EPOCH makes two builds alike: bytecode goes by the hash of its source, not by a time, which `buildah build
# --timestamp` changes. WHEEL, a file here, is installed instead of these sources: that of a release, with its signed manifest.
ARG BASE=debian:bookworm-slim

FROM ${BASE} AS build
ARG SOURCE_DATE_EPOCH
RUN apt-get update -q \
 && DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends \
      build-essential ca-certificates cmake libsrtp2-dev pkg-config python3-dev python3-venv \
 && rm -rf /var/lib/apt/lists/*
RUN python3 -m venv /opt/tonewall && python3 -m venv /opt/build
WORKDIR /src
COPY requirements/run.lock requirements/extras.lock requirements/build.lock requirements/
# Wheels only: an sdist would be built with whatever its build asks for, which nothing holds to a hash.
RUN /opt/tonewall/bin/pip install --no-cache-dir --no-compile --disable-pip-version-check --require-hashes --only-binary :all: \
      -r requirements/run.lock \
 && /opt/build/bin/pip install --no-cache-dir --disable-pip-version-check --require-hashes --only-binary :all: \
      -r requirements/build.lock
ARG CODECS=yes
ARG POSTGRESQL=no
RUN [ "$POSTGRESQL" = no ] || /opt/tonewall/bin/pip install --no-cache-dir --no-compile --disable-pip-version-check --require-hashes \
      --only-binary :all: -r requirements/run.lock -r requirements/extras.lock
RUN [ "$CODECS" = yes ] || /opt/tonewall/bin/pip uninstall --yes av
ARG WHEEL=README.md
COPY pyproject.toml CMakeLists.txt README.md ${WHEEL} ./
COPY tonewall tonewall
COPY provider_adapters provider_adapters
COPY media media
COPY b2bua b2bua
COPY docs/leak-report.md docs/
RUN mkdir /wheels && if [ "$WHEEL" = README.md ]; then PATH=/opt/build/bin:$PATH /opt/build/bin/pip wheel --no-cache-dir \
      --disable-pip-version-check --no-deps --no-build-isolation --wheel-dir /wheels .; else mv *.whl /wheels; fi \
 && /opt/tonewall/bin/pip install --no-cache-dir --no-compile --disable-pip-version-check --no-deps --no-index /wheels/*.whl \
 && { /opt/tonewall/bin/python -m compileall -q /opt/tonewall/lib || echo "what did not compile is not bytecode"; } \
 && PYTHONDONTWRITEBYTECODE=1 /opt/tonewall/bin/tonewall version

FROM ${BASE}
ARG SOURCE_DATE_EPOCH
RUN apt-get update -q \
 && DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends ca-certificates libsrtp2-1 python3 \
 && rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/cache/ldconfig/* /var/cache/debconf/*-old /var/lib/dpkg/*-old \
 && useradd --system --uid 5060 --home-dir /var/lib/tonewall --create-home --shell /usr/sbin/nologin tonewall \
 && install -d -o tonewall -g tonewall -m 0700 /run/tonewall \
 && find /var/log -type f -delete && rm -f /etc/passwd- /etc/group- /etc/shadow- /etc/gshadow- /etc/subuid- /etc/subgid-
COPY --from=build /opt/tonewall /opt/tonewall
COPY sip.conf.example /etc/tonewall/sip.conf.example
COPY LICENSE NOTICE /usr/share/doc/tonewall/
LABEL org.opencontainers.image.licenses="Apache-2.0 AND LGPL-3.0-or-later AND GPL-2.0-or-later"
ENV PATH=/opt/tonewall/bin:$PATH PYTHONUNBUFFERED=1 TONEWALL_CDR_URL=sqlite:////var/lib/tonewall/cdr.sqlite TONEWALL_CDR_SPOOL=/var/lib/tonewall/cdr.spool
USER tonewall
WORKDIR /var/lib/tonewall
VOLUME /var/lib/tonewall
EXPOSE 5060/udp 8080/tcp 20000-29999/udp
# Ready once both processes answer: b2bua serves the page, and says whether media is there.
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s CMD ["tonewall", "health"]
ENTRYPOINT ["tonewall"]
CMD ["run", "-c", "/etc/tonewall/sip.conf"]
